// The failed and alarming check items of a task: runs from left to right, items from top to bottom.

import { KINDS, count, h, svg } from "./dom.js";

const STEP = 22;
const LABELS = 236;
const HEAD = 30;
const ROW = 24;

/** Return the plot; `address` returns the URL of the report of a run. */
export function showHistory(history, currentRun, address) {
  const { items, runs } = history;
  const width = LABELS + runs.length * STEP + 8;
  const height = HEAD + items.length * ROW + 6;
  const current = runs.findIndex((run) => run.run_id === currentRun);
  const drawing = svg(
    "svg",
    {
      class: "plot",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "group",
      "aria-label": "History of failed and alarming checks",
    },
    current >= 0 &&
      svg("rect", {
        class: "current",
        x: LABELS + current * STEP,
        y: 2,
        width: STEP,
        height: height - 4,
        rx: 5,
      }),
    svg("text", { class: "label", x: 0, y: HEAD / 2 + 4 }, "Runs, oldest first"),
    items.map((name, n) => showLabel(name, history.titles[name], HEAD + n * ROW + ROW / 2)),
    runs.map((run, n) => showRun(run, history, LABELS + n * STEP + STEP / 2, n === current, address)),
  );
  const more =
    history.more_items > 0 &&
    h("p", { class: "note" }, `${count(history.more_items, "other check")} had fewer failures and alarms.`);
  return h(
    "div",
    {},
    h(
      "div",
      { class: "scroller", tabindex: 0, role: "region", "aria-label": "History, scrollable" },
      drawing,
    ),
    more || "",
  );
}

function showLabel(name, title, y) {
  const short = title.length > 32 ? `${title.slice(0, 31)}…` : title;
  const tooltip = title === name ? name : `${title} (${name})`;
  return svg(
    "g",
    {},
    svg("line", { class: "rule", x1: 0, x2: 4000, y1: y + ROW / 2, y2: y + ROW / 2 }),
    svg("text", { class: "label", x: 0, y: y + 4 }, short, svg("title", {}, tooltip)),
  );
}

function showRun(run, { items, titles }, x, isCurrent, address) {
  const hits = run.hits
    .map(([failed, alarmed], n) => ({ title: titles[items[n]], failed, alarmed }))
    .filter((hit) => hit.failed || hit.alarmed);
  const details = hits.map(
    (hit) => `${hit.title}: ${hit.failed ? `${hit.failed} failed` : `${count(hit.alarmed, "alarm")}`}`,
  );
  const text = `${run.run_id}, ${new Date(run.at).toLocaleString()}: ${KINDS[run.outcome].toLowerCase()}, ${run.failed} of ${count(run.jobs, "job")} failed. ${details.join(". ")}`;
  return svg(
    "a",
    { href: address(run.run_id), class: "run", "aria-label": text, "aria-current": isCurrent && "true" },
    svg("title", {}, text),
    svg("rect", {
      class: "target",
      x: x - STEP / 2,
      y: 2,
      width: STEP,
      height: HEAD + items.length * ROW + 2,
      rx: 5,
    }),
    mark(run.outcome, x, HEAD / 2, 6),
    run.hits.map(([failed, alarmed], n) =>
      mark(failed ? "failed" : alarmed ? "alarm" : "none", x, HEAD + n * ROW + ROW / 2, 5),
    ),
  );
}

/** A cross, a triangle, a ring or a disc, which differ without colors. */
function mark(kind, x, y, r) {
  if (kind === "failed")
    return svg("path", {
      class: "cross",
      d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`,
    });
  if (kind === "alarm")
    return svg("path", { class: "triangle", d: `M${x} ${y - r}L${x + r} ${y + r * 0.8}H${x - r}z` });
  if (kind === "passed") return svg("circle", { class: "disc", cx: x, cy: y, r: r * 0.8 });
  if (kind === "pending") return svg("circle", { class: "ring", cx: x, cy: y, r: r * 0.8 });
  return svg("circle", { class: "dot", cx: x, cy: y, r: 1.2 });
}
