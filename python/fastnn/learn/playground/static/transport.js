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
  if (response.status === 403) throw new Gone("The server is another one now.");
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Error(said.error ?? `The server answered ${response.status}.`);
}

export const getJson = async (path) => (await request(path)).json();
export const getText = async (path) => (await request(path)).text();

/** One frame, as bytes to decode. */
export async function getFrame(query) {
  const response = await request(`frame?${new URLSearchParams(query)}`);
  return new DataView(await response.arrayBuffer());
}

let line = Promise.resolve();
let since = Infinity; // when the post on its way was sent

/** Whether an answer keeps us waiting. */
export const isSlow = () => performance.now() - since > 400;

/** Posts a JSON object, after those that were posted before; returns the answer. */
export function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Fastnn-Token": token };
  const send = async () => {
    since = performance.now();
    try {
      const sent = { method: "POST", headers, body: JSON.stringify(body) };
      return await (await request(path, sent)).json();
    } finally {
      since = Infinity;
    }
  };
  line = line.then(send, send);
  return line;
}

/** Posts one thing at a time; what is put in meanwhile is joined, the newest value of each name. */
export class Mailbox {
  waiting = null;
  busy = false;

  /**
   * @param {string} path
   * @param {(answer: object, sent: object) => void} done
   * @param {(error: Error) => void} failed
   */
  constructor(path, done, failed) {
    Object.assign(this, { path, done, failed });
  }

  async put(body) {
    this.waiting = { ...this.waiting, ...body };
    if (this.busy) return;
    this.busy = true;
    while (this.waiting) {
      const now = this.waiting;
      this.waiting = null;
      try {
        this.done(await post(this.path, now), now);
      } catch (error) {
        this.failed(error);
      }
    }
    this.busy = false;
  }
}
