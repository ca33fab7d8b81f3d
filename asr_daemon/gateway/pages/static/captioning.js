// @ts-check
/** 实时字幕: choose a microphone, speak, see what was said, end it. */
import { ask, clock, isChinese, need, notice, t } from "./asking.js";
import { Screen } from "./captions.js";
import { microphones, openMicrophone } from "./microphone.js";
import { MOST_KEPT_S, Speaking } from "./speaking.js";

const setup = document.getElementById("setup");
const LEVEL_GAIN = 1.5;

/** @param {string} id */
const button = (id) => need(id, HTMLButtonElement);

class Page {
  constructor() {
    this.why = need("live-why", HTMLElement);
    this.device = need("device", HTMLSelectElement);
    this.standing = need("standing", HTMLElement);
    this.screen = new Screen();
    this.spoken_ms = 0;
    /** @type {Speaking | null} */
    this.speaking = null;
    /** @type {import("./microphone.js").Microphone | null} */
    this.microphone = null;
    button("begin").addEventListener("click", () => this.begin());
    button("pause").addEventListener("click", () => this.pause());
    button("save").addEventListener("click", () => this.end(true));
    button("discard").addEventListener("click", () => confirm(t("js.live_discard_sure")) && this.end(false));
    button("share").addEventListener("click", () => need("link-to-read", HTMLDialogElement).showModal());
    button("close-link").addEventListener("click", () => need("link-to-read", HTMLDialogElement).close());
    button("copy-link").addEventListener("click", () => this.copy());
    this.device.addEventListener("change", () => this.listen());
    this.device.addEventListener("focus", () => this.microphone ?? this.listen()); // the browser asks; then there are names
    const inbox = document.querySelector('select[name="inbox"]');
    const words = need("words-of", HTMLAnchorElement);
    const follow = () => inbox instanceof HTMLSelectElement && (words.href = `/hotwords?inbox=${encodeURIComponent(inbox.value)}`);
    inbox?.addEventListener("change", follow);
    follow();
    addEventListener("beforeunload", (event) => this.speaking && !this.speaking.isOver && event.preventDefault());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  // -------------------------------------------------------------- the microphone

  /** Open the chosen microphone; before the first time the browser asks whether it may. */
  async listen() {
    this.microphone?.close();
    this.microphone = null;
    try {
      const worklet = setup?.dataset.worklet ?? "";
      this.microphone = await openMicrophone(this.device.value, worklet, (sound, peak) => this.heard(sound, peak), () => this.unplugged());
    } catch {
      this.tell(t("js.microphone_denied"));
      return false;
    }
    await this.list();
    this.device.value = this.microphone.device;
    return true;
  }

  /** Show which there are, as far as the browser says so. */
  async list() {
    const all = await microphones();
    const named = all.map((each, place) => new Option(each.label || `${t("js.microphone")} ${place + 1}`, each.deviceId));
    this.device.replaceChildren(...(named.length ? named : [new Option(t("js.live_usual"), "")]));
  }

  unplugged() {
    notice(t("js.live_unplugged"));
    if (this.speaking && !this.speaking.isPaused) this.pause();
    this.microphone = null;
  }

  /** @param {ArrayBuffer} sound @param {number} peak */
  heard(sound, peak) {
    for (const id of ["level", "level-now"]) need(id, HTMLMeterElement).value = Math.min(1, Math.sqrt(peak) * LEVEL_GAIN);
    if (!this.speaking || this.speaking.isPaused || this.speaking.isOver) return;
    if (this.speaking.kept_s > MOST_KEPT_S) return this.tell(t("js.live_full"));
    this.speaking.say(sound);
    this.spoken_ms += sound.byteLength / 32;
    need("lasts", HTMLElement).textContent = clock(this.spoken_ms);
  }

  // -------------------------------------------------------------- the session

  async begin() {
    button("begin").disabled = true;
    if (!this.microphone && !(await this.listen())) {
      button("begin").disabled = false;
      return;
    }
    const inbox = document.querySelector('select[name="inbox"]');
    const began = new Date();
    const two = (/** @type {number} */ amount) => String(amount).padStart(2, "0");
    const day = `${began.getFullYear()}-${two(began.getMonth() + 1)}-${two(began.getDate())}`;
    this.speak({
      type: "start",
      inbox: inbox instanceof HTMLSelectElement ? inbox.value : "",
      name: `${t("js.live_name")} ${day} ${two(began.getHours())}.${two(began.getMinutes())}.${two(began.getSeconds())}`,
      hotwords: need("more-words", HTMLInputElement).value.split(/[\s,，、;；]+/u).filter(Boolean),
      readers_log_in: need("readers-log-in", HTMLInputElement).checked,
    });
  }

  /**
   * Begin, or go on with a session that was left.
   * @param {object} opening
   * @param {string} [session]
   */
  speak(opening, session) {
    this.tell(t("js.live_opening"));
    this.speaking = new Speaking(
      opening,
      {
        ready: (told) => this.ready(told),
        final: (caption) => this.screen.final(caption),
        interim: (saying) => this.screen.interim(saying),
        state: (standing) => this.state(standing),
        lost: () => this.tell(t("js.live_lost_speaker"), true),
        refused: (told) => this.refused(isChinese ? told.message_zh : told.message),
      },
      session,
    );
    navigator.wakeLock?.request("screen").catch(() => null);
  }

  /** @param {import("./speaking.js").Ready} told */
  ready(told) {
    for (const [id, isHidden] of /** @type {[string, boolean][]} */ ([["setup", true], ["left", true], ["stage", false]])) need(id, HTMLElement).hidden = isHidden;
    const link = need("link", HTMLAnchorElement);
    link.href = link.textContent = new URL(told.link, location.href).href;
    need("who-reads", HTMLElement).textContent = t(told.readers_log_in ? "js.live_readers_log_in" : "js.live_readers");
    need("code", HTMLImageElement).src = `/api/v1/live/${told.session}/qr.svg`;
    this.spoken_ms = Math.max(this.spoken_ms, told.offset / 32);
    button("pause").focus();
  }

  /** @param {import("./speaking.js").Standing} standing */
  state(standing) {
    const reason = isChinese ? standing.chinese : standing.reason;
    if (standing.mood === "over") return this.over(standing.path, reason);
    this.tell(reason || t(`js.live_${standing.mood}`), standing.mood === "waiting" || Boolean(reason));
  }

  pause() {
    if (!this.speaking) return;
    if (this.speaking.isPaused && !this.microphone) return void this.listen().then((isThere) => isThere && this.setPaused(false));
    this.setPaused(!this.speaking.isPaused);
  }

  /** @param {boolean} isPaused */
  setPaused(isPaused) {
    this.speaking?.pause(isPaused);
    button("pause").textContent = t(isPaused ? "js.live_go_on" : "js.live_pause");
  }

  /** @param {boolean} keep */
  end(keep) {
    for (const id of ["save", "discard", "pause"]) button(id).disabled = true;
    this.speaking?.end(keep);
    this.microphone?.close();
    this.microphone = null;
    this.tell(t("js.live_ending"));
  }

  /** @param {string} path @param {string} reason why it ended, where nobody ended it */
  over(path, reason) {
    this.microphone?.close();
    this.tell("");
    document.querySelector(".controls")?.setAttribute("hidden", "");
    need("how-ended", HTMLElement).textContent = path ? t("js.live_saved", path) : reason || t("js.live_discarded");
    need("ended", HTMLElement).hidden = false;
    need("ended", HTMLElement).scrollIntoView({ block: "end" });
  }

  /** @param {string} why */
  refused(why) {
    this.tell(why, true);
    this.speaking = null;
    if (need("stage", HTMLElement).hidden) button("begin").disabled = false;
  }

  // -------------------------------------------------------------- what is told

  /** @param {string} text @param {boolean} [isBad] */
  tell(text, isBad = false) {
    const place = need("stage", HTMLElement).hidden ? this.why : this.standing;
    place.textContent = text;
    place.classList.toggle("bad", isBad);
  }

  async copy() {
    await navigator.clipboard.writeText(need("link", HTMLAnchorElement).href).catch(() => {});
    notice(t("js.done"));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const isElsewhere = event.target instanceof Element && event.target.closest("button, a, input, select, dialog");
    if (isElsewhere || !this.speaking || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") this.pause();
    else if (event.key === "f" || event.key === "F") this.screen.toggleWholeScreen();
    else return;
    event.preventDefault();
  }

  // -------------------------------------------------------------- sessions that were left

  async offer() {
    const response = await fetch("/api/v1/live");
    /** @type {{session: string, name: string, inbox: string, sound_ms: number, spoken: boolean}[]} */
    const all = response.ok ? (await response.json()).filter((/** @type {{spoken: boolean}} */ each) => !each.spoken) : [];
    need("left", HTMLElement).hidden = all.length === 0;
    need("left-sessions", HTMLElement).replaceChildren(
      ...all.map((each) => {
        const item = document.createElement("li");
        const told = document.createElement("span");
        told.textContent = `${each.name} · ${each.inbox} · ${clock(each.sound_ms)}`;
        item.append(told);
        this.action(item, "js.live_resume", async () => (await this.listen()) && this.speak({}, each.session));
        for (const [text, keep] of /** @type {[string, boolean][]} */ ([["js.live_save", true], ["js.discard", false]]))
          this.action(item, text, async () => {
            if (!keep && !confirm(t("js.live_discard_sure"))) return;
            if (await ask("POST", `/api/v1/live/${each.session}/end`, { keep })) item.remove();
          });
        return item;
      }),
    );
  }

  /** @param {HTMLElement} item @param {string} text @param {() => void} act */
  action(item, text, act) {
    const pressed = document.createElement("button");
    pressed.type = "button";
    pressed.textContent = t(text);
    pressed.addEventListener("click", act);
    item.append(pressed);
  }
}

if (setup) {
  const page = new Page();
  if (!window.isSecureContext) page.tell(t("js.live_http"));
  else if (!navigator.mediaDevices || !window.AudioWorkletNode) page.tell(t("js.microphone_none"));
  else {
    button("begin").disabled = false;
    page.list().catch(() => {});
    page.offer().catch(() => {});
  }
}
