// Builds elements. Data becomes text or attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; children that are null, false or "" are left out. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Return an element of SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
  return element;
}

/** A kind of check item or a verdict: a shape in addition to the color, and a word. */
export const KINDS = {
  failed: "Failed",
  unknown: "Unknown",
  unreadable: "Unreadable",
  other: "Other",
  alarm: "Alarm",
  waived: "Waived",
  pending: "Waiting",
  passed: "Passed",
};

const SHAPES = {
  failed: "M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
  passed: "M4.6 8.3l2.3 2.3 4.5-5",
  pending: "M8 4.4V8l2.4 1.5",
  waived: "M5 8h6",
  alarm: "M8 6.2v3M8 11.3v.1",
  unknown: "M6.3 6.4a1.8 1.8 0 1 1 2.4 1.8c-.5.2-.7.6-.7 1.1M8 11.4v.1",
};
const OUTLINES = { alarm: "M8 2.2L14.6 13.6H1.4z", waived: "M8 2.2L14.6 13.6H1.4z" };

/** Return the shape of a kind, with its word for screen readers unless the text next to it has it. */
export function shape(kind, hasText = false) {
  const path = SHAPES[kind] ?? SHAPES.unknown;
  const outline = OUTLINES[kind]
    ? svg("path", { d: OUTLINES[kind], class: "outline" })
    : svg("circle", { cx: 8, cy: 8, r: 6.6, class: "outline" });
  const mark = kind === "waived" ? "M6.2 10.4h3.6" : path;
  return h(
    "span",
    { class: `shape ${kind in KINDS ? kind : "unknown"}` },
    svg(
      "svg",
      { viewBox: "0 0 16 16", "aria-hidden": "true" },
      outline,
      svg("path", { d: mark, class: "mark" }),
    ),
    hasText ? null : h("span", { class: "for-readers" }, KINDS[kind] ?? KINDS.unknown),
  );
}

/** The base URL of Airflow, with its prefix: this page is two levels below. */
export const AIRFLOW = new URL("../", location.href);

export const framed = window.parent !== window;

/**
 * Return a link out of this page. Airflow frames the page in a sandbox without navigation, so the
 * click is made in Airflow's own document, which has the same origin.
 */
export function outLink(address, attributes, ...children) {
  const isOutside = new URL(address, AIRFLOW).origin !== AIRFLOW.origin;
  const target = isOutside ? "_blank" : "_top";
  const href = new URL(address, AIRFLOW).href;
  if (!/^https?:$/.test(new URL(href).protocol)) return h("span", attributes, ...children);
  return h(
    "a",
    { ...attributes, href, target, rel: "noopener noreferrer", onclick: framed ? leave : null },
    ...children,
  );
}

/** Save a file that the server sends, also from within Airflow's frame. */
export function download(address, name) {
  click({ href: address, download: name });
}

function leave(event) {
  const { href, target } = event.currentTarget;
  const isElsewhere = target === "_blank" || event.ctrlKey || event.metaKey;
  if (click({ href, target: isElsewhere ? "_blank" : "_self", rel: "noopener noreferrer" }))
    event.preventDefault();
}

function click(attributes) {
  try {
    const home = framed ? window.parent.document : document;
    const link = home.createElement("a");
    for (const [name, value] of Object.entries(attributes)) link.setAttribute(name, value);
    home.body.append(link);
    link.click();
    link.remove();
    return true;
  } catch {
    // Embedded by another page: the browser's rules for the link apply.
    return false;
  }
}

/** Return the text of a response; the error of an HTTP error has its status. */
export async function fetchText(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status });
  return response.text();
}

/** Announce a text to users of screen readers. */
export function say(text) {
  const status = document.getElementById("status");
  // Do not announce the same text twice.
  if (status.textContent !== text) status.textContent = text;
}

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** Return a relative time, with the exact time as its title. */
export function when(text) {
  const at = new Date(text);
  const seconds = Math.round((at - Date.now()) / 1000);
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? STEPS[3];
  return h(
    "time",
    { datetime: text, title: at.toLocaleString() },
    RELATIVE.format(Math.round(seconds / size), unit),
  );
}

/** Return a number with the right form of a word. */
export function count(number, word, words = `${word}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? word : words}`;
}
