// Talks to the server: the token of the page's address goes with every request.

const token = location.pathname.split("/")[1];

/** The server does not answer, or is another one than the page came from. */
export class Gone extends Error {}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(20000) });
  } catch {
    throw new Gone("The playground's server does not answer.");
  }
  if (response.status === 403) throw new Gone("The server has been started anew.");
  if (!response.ok) {
    const said = await response.text();
    let message = said;
    try {
      message = JSON.parse(said).error;
    } catch {
      // Not every error is JSON.
    }
    throw new Error(message || `The server answered ${response.status}.`);
  }
  return response;
}

export const getJson = async (path) => (await request(path)).json();
export const getText = async (path) => (await request(path)).text();

/** One frame, as bytes to decode. */
export async function getFrame(query) {
  const response = await request(`frame?${new URLSearchParams(query)}`);
  return new DataView(await response.arrayBuffer());
}

let line = Promise.resolve();

/** Posts a JSON object, after those that were posted before; returns the answer. */
export function post(path, body = {}) {
  const send = async () => (await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Fastnn-Token": token },
    body: JSON.stringify(body),
  })).json();
  line = line.then(send, send);
  return line;
}
