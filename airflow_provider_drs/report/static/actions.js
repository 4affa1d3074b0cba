// Export a report to the clipboard or as a file.

import { download, fetchText, h, say } from "./dom.js";

/** Return the buttons; `address` returns the URL of the report in a format. */
export function showActions(address) {
  const button = (label, onclick) => h("button", { type: "button", "data-key": label, onclick }, label);
  return h(
    "div",
    { class: "actions", role: "group", "aria-label": "Export the report" },
    button("Copy as Markdown", (event) => copy(address("markdown"), "Markdown", event.currentTarget)),
    button("Copy as CSV", (event) => copy(address("csv"), "CSV", event.currentTarget)),
    button("Download CSV", () => download(new URL(address("csv"), location.href).href, "precheck.csv")),
  );
}

async function copy(address, what, button) {
  let message;
  try {
    await write(await fetchText(address));
    message = `Copied as ${what}`;
  } catch {
    message = "Could not copy";
  }
  say(message);
  const label = button.textContent;
  button.textContent = message;
  setTimeout(() => (button.textContent = label), 1800);
}

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS browsers provide only this clipboard.
  const field = h("textarea", { class: "for-readers" });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("no clipboard");
}
