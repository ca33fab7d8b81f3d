// @ts-check
/** Who changed what and when; what found its words no more; taking the newest step back. */
import { clock, need, t } from "./asking.js";
import { onChange } from "./events.js";
import { make } from "./making.js";
import { corrections, moment, take } from "./steps.js";
import { refresh, version } from "./transcript.js";

/** @typedef {import("./steps.js").Step} Step */

const LOOK_MS = 10_000;
const list = need("steps", HTMLElement);
const count = need("steps-count", HTMLElement);
const unplaced = need("unplaced", HTMLElement);
const undo = document.getElementById("undo");
const me = document.querySelector(".who .name")?.textContent ?? "";

/** @type {Step | undefined} the one that `undo` takes back */
let newest;

/** @param {string} kind */
const doing = (kind) => {
  const names = {
    text: t("js.step_text"),
    speaker: t("js.step_speaker"),
    split: t("js.step_split"),
    join: t("js.step_join"),
    undo: t("js.step_undo"),
    discard: t("js.step_discard"),
  };
  return names[/** @type {keyof typeof names} */ (kind)] ?? t("js.step_placed");
};

/** @param {number} ms */
function place(ms) {
  const link = make("a", "at", clock(ms));
  link.href = `#t=${(ms / 1000).toFixed(2)}`;
  return link;
}

/** @param {Step} step */
function row(step) {
  const head = make("p", "muted", make("b", "", step.who), ` ${moment(step.made_at)} · ${doing(step.kind)} `, place(step.start_ms));
  if (step.is_undone) head.append(make("span", "chip", t("js.step_undone")));
  const texts = make("p", "what");
  if (step.before) texts.append(make("del", "", step.before));
  if (step.before && step.after) texts.append(" → ");
  if (step.after) texts.append(make("ins", "", step.after));
  return make("li", step.is_undone ? "undone" : "", head, texts);
}

/** Show what was done by now. */
export async function look() {
  const told = await corrections();
  if (!told) return;
  count.textContent = told.steps.length ? String(told.steps.length) : t("js.no_steps");
  list.replaceChildren(...told.steps.map(row));
  newest = told.steps.find((step) => !step.is_undone && step.kind !== "undo");
  if (undo instanceof HTMLButtonElement) {
    undo.disabled = !told.may_undo;
    undo.title = told.may_undo && newest ? `${newest.who} ${moment(newest.made_at)} ${doing(newest.kind)}` : "";
  }
  unplaced.hidden = told.unplaced.length === 0;
  unplaced.querySelector("ul")?.replaceChildren(
    ...told.unplaced.map((each) => {
      const said = each.said ? make("p", "muted", t("js.unplaced_said", each.said)) : "";
      const item = make("li", "", make("div", "", place(each.start_ms), " ", each.text, said));
      if (undo) {
        const gone = make("button", "quiet", t("js.discard"));
        gone.type = "button";
        gone.addEventListener("click", () => after(take("DELETE", `corrections/unplaced/${each.id}`, version())));
        item.append(gone);
      }
      return item;
    }),
  );
}

/**
 * Show the text and the steps of now, whatever came of it.
 * @param {Promise<unknown>} step
 */
export async function after(step) {
  await step;
  await refresh();
  await look();
}

async function takeBack() {
  if (!(undo instanceof HTMLButtonElement) || undo.disabled) return;
  if (newest && newest.who !== me && !confirm(t("js.undo_others", newest.who, undo.title))) return;
  undo.disabled = true;
  await after(take("POST", "corrections/undo", version()));
}
undo?.addEventListener("click", takeBack);
document.addEventListener("keydown", (event) => {
  const held = event.target;
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  if (held instanceof HTMLElement && held.matches("input, textarea, select")) return;
  event.preventDefault();
  takeBack();
});

// What others write comes by itself, but not under somebody's hands.
let looked = 0;
onChange(async () => {
  if (Date.now() - looked < LOOK_MS || document.querySelector("li.editing")) return;
  looked = Date.now();
  const told = await corrections();
  if (told && told.version !== version() && !document.querySelector("li.editing")) await after(Promise.resolve());
});
look();
