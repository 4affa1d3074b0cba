// The verdict on all jobs, and the most frequent check items.

import { count, h, shape, when } from "./dom.js";

/** Return the verdict on all jobs as text, and its kind. */
export function headline(summary) {
  const { failed, unknown, pending } = summary.verdicts;
  const failing = failed + unknown;
  const all = count(summary.jobs, "job");
  if (!summary.jobs) return { kind: "unknown", text: "The report has no jobs" };
  if (failing) return { kind: "failed", text: `${failing.toLocaleString("en")} of ${all} did not pass` };
  if (pending)
    return {
      kind: "pending",
      text: `The pre-checks of ${pending.toLocaleString("en")} of ${all} have not finished`,
    };
  return { kind: "passed", text: summary.jobs === 1 ? "The job passed" : `All ${all} passed` };
}

/** Return the card at the top. */
export function showVerdict(data) {
  const { summary } = data;
  const { kind, text } = headline(summary);
  const { passed, alarm, waived, failed, other } = summary.items;
  const counts = [
    failed && `${count(failed, "check")} failed`,
    other && `${count(other, "check")} with an unknown result`,
    alarm && count(alarm, "alarm"),
    waived && `${count(waived, "alarm")} waived`,
    passed && `${count(passed, "check")} passed`,
  ].filter(Boolean);
  return h(
    "section",
    { class: `card verdict ${kind}` },
    shape(kind, true),
    h(
      "div",
      { class: "verdict-text" },
      h("h2", {}, text),
      h("p", {}, counts.join(" · ") || "Check items appear when a pre-check has finished."),
      showSource(data),
    ),
    h("div", { class: "shares" }, showShares(summary)),
  );
}

function showSource(data) {
  const { live, at, reason } = data;
  if (data.kind === "report") return h("p", { class: "source" }, "Reported ", when(at));
  const source = live === "unreachable" ? `Last result from DRS: ` : "Live from DRS, ";
  return h(
    "p",
    { class: `source ${live}` },
    h("span", { class: "pulse", "aria-hidden": "true" }),
    source,
    when(at),
    live === "unreachable" && ` — ${reason}.`,
    live === "on" && ". The final report appears when the task ends.",
  );
}

function showShares({ jobs, verdicts, percent }) {
  const bar = h("div", { class: "bar", "aria-hidden": "true" });
  for (const [kind, number] of Object.entries(verdicts)) {
    if (!number) continue;
    const part = h("span", { class: kind });
    part.style.flexGrow = number / jobs;
    bar.append(part);
  }
  const legend = Object.entries(verdicts).filter(([, number]) => number);
  return [
    bar,
    h(
      "ul",
      { class: "legend" },
      legend.map(([kind, number]) => h("li", {}, shape(kind), number.toLocaleString("en"))),
      verdicts.pending > 0 && h("li", { class: "muted" }, `${Math.round(percent)}% done`),
    ),
  ];
}

/** Return the most frequent check items; `choose` filters the jobs by one. */
export function showRanking(data, choose) {
  if (!data.ranking.length) return null;
  const most = Math.max(...data.ranking.map(([, failed, alarmed]) => failed + alarmed));
  const rows = data.ranking.map(([name, failed, alarmed]) => {
    const bar = h(
      "span",
      { class: "bar", "aria-hidden": "true" },
      failed > 0 && part("failed", failed, most),
      alarmed > 0 && part("alarm", alarmed, most),
    );
    const counts = [
      failed && `failed in ${failed.toLocaleString("en")}`,
      alarmed && `alarm in ${alarmed.toLocaleString("en")}`,
    ]
      .filter(Boolean)
      .join(", ");
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          "data-key": `rank ${name}`,
          title: `Show the jobs with ${name}`,
          onclick: () => choose({ q: name, view: "all" }),
        },
        h(
          "span",
          { class: "item-title" },
          data.titles[name],
          data.titles[name] !== name && h("span", { class: "item-name" }, name),
        ),
        h("span", { class: "counts" }, counts),
        bar,
      ),
    );
  });
  return h("section", { class: "card ranking" }, h("h2", {}, "Failed and alarming checks"), h("ul", {}, rows));
}

function part(kind, number, most) {
  const span = h("span", { class: kind });
  span.style.width = `${(number / most) * 100}%`;
  return span;
}
