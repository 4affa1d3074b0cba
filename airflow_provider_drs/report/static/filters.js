// The filters, the search and the pages of the list of jobs.

import { count, h, say } from "./dom.js";

const VIEWS = { all: "All", failed: "Failed", alarm: "Alarms", pending: "Waiting", passed: "Passed" };

/** Return the filters and the search; `choose` applies the choice. */
export function showFilters(summary, { found }, choice, choose) {
  let delay = 0;
  const onInput = (event) => {
    clearTimeout(delay);
    delay = setTimeout(() => choose({ q: event.target.value }), 200);
  };
  if (choice.q) say(`${count(found, "job")} found`);
  return h(
    "div",
    { class: "filters", role: "search", "aria-label": "Jobs" },
    h(
      "div",
      { class: "views", role: "group", "aria-label": "Filter jobs" },
      Object.entries(VIEWS)
        .filter(([view]) => view === "all" || view === choice.view || summary.views[view])
        .map(([view, label]) =>
          h(
            "button",
            {
              type: "button",
              "data-key": `view ${view}`,
              "aria-pressed": choice.view === view,
              onclick: () => choose({ view }),
            },
            label,
            " ",
            h("span", { class: "number" }, summary.views[view].toLocaleString("en")),
          ),
        ),
    ),
    h("input", {
      type: "search",
      "data-key": "search",
      placeholder: "Search jobs, checks, reasons  ( / )",
      "aria-label": "Search jobs, checks and reasons",
      value: choice.q,
      oninput: onInput,
    }),
  );
}

/** Return what is shown if no job matches. */
export function showNoJobs(choose) {
  return h(
    "section",
    { class: "card empty" },
    h("h2", {}, "No matching jobs"),
    h(
      "p",
      {},
      "Change the filter, or ",
      h(
        "button",
        { type: "button", class: "plain", "data-key": "all", onclick: () => choose({ view: "all", q: "" }) },
        "show all jobs",
      ),
      ".",
    ),
  );
}

/** Return the links to other pages, if there are any. */
export function showPages({ found, offset, size }, choose) {
  if (found <= size) return null;
  const move = (by) =>
    choose({ offset: offset + by }).then(() =>
      document.querySelector(".filters").scrollIntoView({ block: "start" }),
    );
  return h(
    "nav",
    { class: "pages", "aria-label": "Pages" },
    h(
      "button",
      { type: "button", "data-key": "previous", disabled: offset === 0, onclick: () => move(-size) },
      "Previous",
    ),
    h(
      "span",
      {},
      `${(offset + 1).toLocaleString("en")} to ${Math.min(offset + size, found).toLocaleString("en")} of ${count(found, "job")}`,
    ),
    h(
      "button",
      { type: "button", "data-key": "next", disabled: offset + size >= found, onclick: () => move(size) },
      "Next",
    ),
  );
}
