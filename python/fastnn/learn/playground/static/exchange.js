// What comes in from a file and goes out as text: CSV, the run as Python, links to share.

import { make } from "./form.js";
import { byId } from "./telling.js";
import { getText, post } from "./transport.js";

const LARGEST = 2 * 1024 * 1024; // bytes of a file

/** Copies text; where the clipboard is refused, selects it for a person to copy. */
async function copy(text, source, told) {
  try {
    await navigator.clipboard.writeText(text);
    told.textContent = "Copied.";
  } catch {
    source.focus();
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    told.textContent = "Selected. Press Ctrl+C (or ⌘C) to copy.";
  }
}

/** The script: fetched when it is opened, and anew before it is copied. */
export function setUpScript(failed) {
  const [fold, script] = [byId("python"), byId("script")];
  const refresh = async () => {
    try {
      script.textContent = await getText("script");
    } catch (error) {
      failed(error);
    }
  };
  fold.addEventListener("toggle", () => fold.open && refresh());
  byId("script-fresh").addEventListener("click", refresh);
  byId("copy").addEventListener("click", async () => {
    await refresh();
    await copy(script.textContent, script, byId("copy-told"));
  });
}

/** The link of this page, and the command that opens the same elsewhere. */
export function setUpShare() {
  const [fold, link, command] = [byId("share"), byId("share-link"), byId("share-command")];
  const write = () => {
    link.value = location.href;
    command.value = `fastnn playground --link '${location.hash || "#"}'`;
  };
  fold.addEventListener("toggle", write);
  for (const [button, source] of [["share-copy", link], ["command-copy", command]]) {
    byId(button).addEventListener("click", () => {
      write();
      copy(source.value, source, byId("share-told"));
    });
  }
  return write;
}

/** A file of one's own: its header offers the target, a button sends it. */
export function setUpFile(adopt, failed) {
  const [file, target, send] = [byId("csv-file"), byId("csv-target"), byId("csv-send")];
  let text = "";
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    send.disabled = true;
    if (!chosen) return;
    if (chosen.size > LARGEST) {
      failed(new Error("This file is too large: expected at most 2 MiB."));
      return;
    }
    text = await chosen.text();
    const head = text.split(/\r?\n/, 1)[0];
    const names = head.split(/[,;\t]/).map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
    target.replaceChildren(...names.map((name) =>
      make("option", { value: name, textContent: name })));
    target.selectedIndex = names.length - 1;
    send.disabled = false;
  });
  send.addEventListener("click", async () => {
    try {
      adopt(await post("csv", { name: file.files[0].name, text, target: target.value }));
    } catch (error) {
      failed(error);
    }
  });
}
