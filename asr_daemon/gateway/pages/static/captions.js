// @ts-check
/** Captions on a screen: what is final, and greyed what is being said; the size of the type, the whole screen. */
import { need } from "./asking.js";

const MOST_SHOWN = 400;
const NEAR_PX = 80;
const SIZES = 5;

export class Screen {
  constructor() {
    this.stage = need("stage", HTMLElement);
    this.box = need("said", HTMLElement);
    this.saying = document.createElement("p");
    this.stable = document.createElement("span");
    this.unsure = document.createElement("span");
    this.saying.className = "saying";
    this.unsure.className = "unsure";
    this.saying.append(this.stable, this.unsure);
    this.saying.setAttribute("aria-live", "off");
    this.box.append(this.saying);
    this.size = Number(localStorage.getItem("captions-size") ?? 2);
    this.resize(0);
    need("smaller", HTMLButtonElement).addEventListener("click", () => this.resize(-1));
    need("larger", HTMLButtonElement).addEventListener("click", () => this.resize(1));
    const whole = need("whole-screen", HTMLButtonElement);
    whole.hidden = !document.fullscreenEnabled;
    whole.addEventListener("click", () => this.toggleWholeScreen());
  }

  toggleWholeScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.stage.requestFullscreen().catch(() => {});
  }

  /** @param {number} by */
  resize(by) {
    this.size = Math.max(0, Math.min(SIZES - 1, this.size + by)) || 0;
    this.stage.dataset.size = String(this.size);
    localStorage.setItem("captions-size", String(this.size));
    this.box.scrollTop = this.box.scrollHeight;
  }

  /** @param {{number: number, text: string, speaker: string}} caption */
  final(caption) {
    this.following(() => {
      const line = document.createElement("p");
      line.dataset.number = String(caption.number);
      if (caption.speaker) {
        const who = document.createElement("span");
        who.className = "who-said";
        who.textContent = caption.speaker;
        line.append(who);
      }
      line.append(caption.text);
      this.saying.before(line);
      this.stable.textContent = this.unsure.textContent = "";
      while (this.box.childElementCount > MOST_SHOWN) this.box.firstElementChild?.remove();
    });
  }

  /** @param {{stable: string, text: string}} saying */
  interim(saying) {
    this.following(() => {
      this.stable.textContent = saying.stable;
      this.unsure.textContent = saying.text.slice(saying.stable.length);
    });
  }

  /**
   * Change what is shown; who reads at the end goes along.
   * @param {() => void} change
   */
  following(change) {
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_PX;
    change();
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight;
  }
}
