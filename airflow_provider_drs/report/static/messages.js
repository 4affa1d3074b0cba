// What is said where there is no report.

import { AIRFLOW, count, h, outLink, shape } from "./dom.js";

/** Say why there is no report, and what there is instead. */
export function showWithout(answer) {
  const { task, kind, live, trouble, neighbours } = answer;
  if (kind === "waiting") {
    const why = {
      off: [
        "The checks are running",
        "Live progress is switched off in this Airflow (live_report in section drs). The report is here when the task has ended.",
      ],
      unreachable: [
        "The checks are running",
        `Their progress cannot be shown: ${trouble}. The task itself goes on, and the report is here when it has ended.`,
      ],
      asking: ["Asking DRS", "The checks are running. How far they are is here in a moment."],
    }[live];
    return empty("pending", ...why);
  }
  if (kind === "submissions")
    return [
      empty(
        "passed",
        "The checks were started",
        "This task starts pre-checks and does not wait for them. Their verdicts are in the report of the task that does.",
      ),
      showSubmissions(answer.submissions),
    ];
  if (kind === "unreadable")
    return empty(
      "unknown",
      "This is no report",
      `The XCom precheck_report of this task cannot be read: ${trouble}.`,
    );
  if (!task.exists)
    return empty(
      "unknown",
      "There is no such task in this run",
      "The run may have been deleted, or the address is not whole.",
    );
  if (answer.refresh_s)
    return empty(
      "pending",
      "Nothing has been checked yet",
      `The task is ${task.state ? task.state.replaceAll("_", " ") : "not scheduled yet"}. Its report is here as soon as there is one.`,
    );
  const hint = neighbours.length
    ? "Another task of this run has one, see above."
    : "Reports come from DrsPrecheckSensor, and from DrsBatchPrecheckOperator if it waits.";
  return empty(
    "unknown",
    "This task has no pre-check report",
    task.state === "failed" ? `It failed before there was a verdict; its log says why. ${hint}` : hint,
  );
}

function empty(kind, title, text) {
  return h(
    "section",
    { class: `card empty ${kind}` },
    shape(kind, true),
    h("h2", {}, title),
    h("p", {}, text),
  );
}

function showSubmissions(rows) {
  const cells = rows.map((row) =>
    h(
      "tr",
      {},
      h("td", { class: "name" }, row.job_id),
      h("td", {}, row.status),
      h("td", { class: "muted" }, row.error),
    ),
  );
  return h(
    "section",
    { class: "card" },
    h("h2", {}, count(rows.length, "job")),
    h("div", { class: "scroller" }, h("table", {}, h("tbody", {}, cells))),
  );
}

/** Say why there is no answer. */
export function showTrouble(error, place) {
  if (error.status === 401)
    return [
      h(
        "section",
        { class: "card empty" },
        h("h2", {}, "You are not logged in"),
        h("p", {}, outLink(AIRFLOW.href, {}, "Log in to Airflow"), ", then come back."),
      ),
    ];
  if (error.status === 403)
    return [
      empty(
        "unknown",
        "This is not for you to see",
        `It takes the right to read the XComs of ${place.dag_id ? `the DAG ${place.dag_id}` : "a DAG"}. Ask whoever runs this Airflow.`,
      ),
    ];
  if (error.status && error.status < 500)
    return [empty("unknown", "The address is not whole", "It takes dag_id, run_id and task_id.")];
  return [
    empty(
      "failed",
      "Airflow does not answer",
      `${error.message || "The connection is gone"}. This page tries again by itself.`,
    ),
  ];
}
