// @ts-check
/** Drafts that a reload, a crash or a lost session left are offered again, beside what stands there by now. */
import { clock, isChinese, need, t } from "./asking.js";
import { drop, kept } from "./drafts.js";
import { open, segmentOf, partsOf } from "./editing.js";
import { make } from "./making.js";
import { passages } from "./transcript.js";

/** @typedef {import("./drafts.js").Draft} Draft */

const card = need("drafts", HTMLElement);
const list = /** @type {HTMLElement} */ (card.querySelector("ul"));

/** @param {string} text @param {string} look @param {() => void} act */
function button(text, look, act) {
  const made = make("button", look, text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** @param {Draft} draft */
function offer(draft) {
  const row = passages().findLast((each) => each.start_ms <= draft.start_ms)?.element ?? passages()[0]?.element;
  const now = row && segmentOf(partsOf(row));
  if (!row || !now) return null;
  const isSame = now.start_ms === draft.start_ms && now.text === draft.before && now.speaker === draft.before_speaker;
  if (now.text === draft.text && (now.speaker === draft.speaker || now.voices > 1)) {
    drop(draft.start_ms); // it was saved after all
    return null;
  }
  const at = make("a", "at", clock(draft.start_ms));
  at.href = `#t=${(draft.start_ms / 1000).toFixed(2)}`;
  const when = new Date(draft.at_ms).toLocaleString(isChinese ? "zh-CN" : "en-GB", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false });
  const who = draft.speaker && draft.speaker !== draft.before_speaker ? `${draft.speaker}：` : "";
  const told = make("div", "", make("p", "", at, " ", who + draft.text, " ", make("span", "muted", when)));
  if (!isSame) told.append(make("p", "bad", t("js.draft_changed")), make("p", "", now.text));
  const item = make("li", "", told);
  const leave = () => {
    item.remove();
    card.hidden = list.childElementCount === 0;
  };
  const take = async () => {
    if (!isSame) drop(draft.start_ms); // what is written from now on is kept under its segment's place
    if (await open(row, draft)) leave();
  };
  const throwAway = () => {
    drop(draft.start_ms);
    leave();
  };
  const actions = make("div", "actions");
  actions.append(button(t(isSame ? "js.draft_take" : "js.draft_mine"), "main", take), button(t(isSame ? "js.draft_leave" : "js.draft_theirs"), "", throwAway));
  item.append(actions);
  return item;
}

const offers = kept().map(offer).filter((each) => each !== null);
list.replaceChildren(...offers);
card.hidden = offers.length === 0;
