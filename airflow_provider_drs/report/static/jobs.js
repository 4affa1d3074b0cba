// The list of jobs. A row opens to show the check items that did not pass.

import { KINDS, count, h, outLink, shape } from "./dom.js";

const COUNTED = ["failed", "other", "alarm", "waived", "passed"];

/** Return the list; `opened` has the IDs of the open jobs, and is updated. */
export function showJobs(jobs, facts, opened) {
  return h(
    "ul",
    { class: "jobs" },
    jobs.map((job, n) => showJob(job, n, facts, opened)),
  );
}

function showJob(job, n, facts, opened) {
  const id = `job-${n}`;
  const body = h("div", { id, class: "items", role: "region", "aria-label": `Checks of ${job.name} ${job.job_id}` });
  const kind = job.verdict === "passed" && job.items.length ? softest(job) : job.verdict;
  const button = h(
    "button",
    {
      type: "button",
      class: "job",
      "aria-controls": id,
      "data-key": `job ${job.job_id}`,
      onclick: () => toggle(!isOpen()),
    },
    shape(kind),
    h("span", { class: "job-id" }, job.name && h("span", { class: "job-name" }, job.name), " ", job.job_id),
    h("span", { class: "job-summary" }, summarize(job, facts)),
    job.verdict === "pending" ? progress(job.percent) : counts(job.counts),
    h("span", { class: "chevron", "aria-hidden": "true" }),
  );
  const isOpen = () => button.getAttribute("aria-expanded") === "true";
  function toggle(open) {
    button.setAttribute("aria-expanded", open);
    body.hidden = !open;
    // The content is created when the row opens.
    if (open && !body.childElementCount) body.append(...showItems(job, facts));
    if (open) opened.add(job.job_id);
    else opened.delete(job.job_id);
  }
  toggle(opened.has(job.job_id));
  return h("li", {}, h("h3", {}, button), body);
}

/** A job that passed with accepted alarms only is shown as waived. */
function softest(job) {
  return job.counts.alarm || job.counts.other ? "alarm" : "waived";
}

function summarize(job, facts) {
  if (job.error) return job.error.message;
  const titles = job.items.map((item) => facts[item.item]?.title ?? item.item);
  if (titles.length)
    return titles.length > 3
      ? `${titles.slice(0, 3).join(", ")} and ${titles.length - 3} more`
      : titles.join(", ");
  if (job.verdict === "pending") return job.percent === null ? "no pre-check result yet" : "running";
  if (job.verdict === "failed") return "DRS returned no failed check item";
  return job.counts.passed ? "" : "no pre-check needed";
}

function counts(counted) {
  const shown = COUNTED.filter((kind) => counted[kind]);
  return h(
    "span",
    { class: "counts" },
    shown.map((kind) =>
      h(
        "span",
        { class: `count ${kind}`, title: `${counted[kind]} ${KINDS[kind].toLowerCase()}` },
        shape(kind),
        counted[kind],
      ),
    ),
  );
}

/** Return a progress bar with its number. */
export function progress(percent) {
  const value = Math.max(0, Math.min(100, percent ?? 0));
  const bar = h("span", { class: "done" });
  bar.style.width = `${value}%`;
  const track = {
    class: "progress",
    role: "progressbar",
    "aria-valuenow": value,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-label": "Progress",
  };
  return h(
    "span",
    { class: "counts" },
    h("span", track, bar),
    h("span", { class: "percent" }, `${Math.round(value)}%`),
  );
}

function showItems(job, facts) {
  const shown = job.items.map((item) => showItem(item, facts[item.item] ?? {}));
  if (job.engine)
    shown.unshift(h("p", { class: "rest" }, `${job.engine}: ${job.source} → ${job.destination}`));
  if (job.error) shown.unshift(h("p", { class: "error" }, job.error.message));
  if (job.counts.passed)
    shown.push(
      h("p", { class: "rest" }, shape("passed", true), `${count(job.counts.passed, "check")} passed.`),
    );
  if (!shown.length) {
    shown.push(
      h(
        "p",
        { class: "rest" },
        job.verdict === "pending"
          ? "Check items appear when the pre-check has finished."
          : "No check items.",
      ),
    );
  }
  return shown;
}

function showItem(item, fact) {
  const waiver =
    item.waiver && `${item.waiver.reason} (until ${item.waiver.expires}, for jobs ${item.waiver.jobs})`;
  return h(
    "article",
    { class: `item ${item.kind}` },
    h(
      "h4",
      {},
      shape(item.kind),
      h("span", { class: "item-title" }, fact.title ?? item.item),
      h("span", { class: "item-name" }, item.item),
      item.group && h("span", { class: "group" }, item.group),
      item.result !== "FAILED" && item.kind === "other" && h("span", { class: "group" }, item.result),
    ),
    h(
      "dl",
      {},
      line("Reason", item.reason, "code"),
      line("Error", item.raw_error, "raw"),
      line("Data", item.data, "raw"),
      line("Subtasks", item.sub_jobs.join(", ")),
      line("Problem", fact.problem),
      line("How to fix", fact.fix, "to-do"),
      line("Waived", waiver),
      line("Accepted", item.accepted === "allowed" && "The alarms argument of the task accepts this alarm"),
      line("Not accepted", item.kind === "alarm" && item.accepted === null && "This alarm failed the job"),
    ),
    fact.link &&
      outLink(
        fact.link,
        { class: "manual" },
        "Open the manual",
        h("span", { "aria-hidden": "true" }, " ↗"),
      ),
  );
}

function line(label, text, kind = "text") {
  return text ? [h("dt", {}, label), h("dd", { class: kind }, text)] : null;
}
