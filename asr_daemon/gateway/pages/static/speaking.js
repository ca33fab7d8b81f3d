// @ts-check
/**
 * A live session as its speaker has it: sound is kept until the server has it on its disk, whatever becomes of
 * the connection. Lost, it is opened again, and goes on at the very byte.
 */
import { t } from "./asking.js";

const TAKEN_OVER = 4001; // by another window
const BYTES_PER_S = 32_000;
const PIECE_BYTES = 64_000;
const MOST_ON_THE_WAY = 1_000_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
export const MOST_KEPT_S = 7200; // without a connection; it is some 230 MB of the browser's memory then

/**
 * @typedef {{number: number, start_ms: number, end_ms: number, text: string, speaker: string}} Caption
 * @typedef {{mood: string, reason: string, chinese: string, path: string}} Standing
 * @typedef {{session: string, offset: number, link: string, inbox: string, name: string, readers_log_in: boolean, paused: boolean}} Ready
 * @typedef {{
 *   ready: (told: Ready) => void, final: (caption: Caption) => void, interim: (saying: {stable: string, text: string}) => void,
 *   state: (standing: Standing) => void, lost: () => void, refused: (told: {code: string, message: string, message_zh: string}) => void,
 * }} Hearing
 */

export class Speaking {
  /**
   * @param {object} opening the `start` message, or null where a session is gone on with
   * @param {Hearing} hearing
   * @param {string} [session]
   */
  constructor(opening, hearing, session = "") {
    this.opening = opening;
    this.hearing = hearing;
    this.session = session;
    /** @type {Uint8Array<ArrayBuffer>[]} what is not safe yet */
    this.pieces = [];
    /** @type {number | null} which byte of the session `pieces` begin at; null as long as nobody knows */
    this.first = session ? null : 0;
    this.kept = 0; // bytes in `pieces`
    this.sent = 0; // of them, on this connection
    this.number = 0;
    this.isReady = false;
    this.isOver = false;
    this.isPaused = false;
    this.isTold = false; // why the connection ended
    /** @type {boolean | null} whether to keep the recording, once it is to end */
    this.ending = null;
    this.wait_ms = FIRST_WAIT_MS;
    this.connect();
    addEventListener("online", () => this.socket?.readyState === WebSocket.CLOSED && this.connect());
  }

  connect() {
    if (this.isOver) return;
    clearTimeout(this.trying);
    this.isReady = false;
    this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`);
    const socket = this.socket;
    socket.addEventListener("open", () => {
      const resume = { type: "resume", session: this.session, after: this.number };
      socket.send(JSON.stringify(this.session ? resume : this.opening));
    });
    socket.addEventListener("message", (event) => socket === this.socket && this.told(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket || this.isOver) return;
      this.isReady = false;
      if (event.code === TAKEN_OVER) {
        this.isOver = true;
        return this.hearing.refused({ code: "conflict", message: t("js.live_elsewhere"), message_zh: t("js.live_elsewhere") });
      }
      if (!this.isTold) this.hearing.lost();
      this.trying = setTimeout(() => this.connect(), this.wait_ms);
      this.wait_ms = Math.min(LONGEST_WAIT_MS, this.wait_ms * 2);
    });
  }

  /** @param {any} told */
  told(told) {
    switch (told.type) {
      case "ready":
        this.wait_ms = FIRST_WAIT_MS;
        this.session = told.session;
        this.first ??= told.offset;
        this.drop(told.offset);
        this.sent = 0;
        this.isReady = true;
        this.isTold = false;
        this.hearing.ready(told);
        if (this.isPaused) this.command({ type: "pause" });
        this.flush();
        break;
      case "saved":
        this.drop(told.offset);
        break;
      case "final":
        this.number = told.number;
        this.hearing.final(told);
        break;
      case "interim":
        this.hearing.interim(told);
        break;
      case "state":
        this.isOver ||= told.mood === "over";
        this.hearing.state(told);
        break;
      case "refused":
        // What passes is tried again: the session is there, and its sound is kept here.
        if (this.session && (told.code === "unavailable" || told.code === "version")) {
          this.isTold = true;
          this.hearing.state({ mood: "waiting", reason: told.message, chinese: told.message_zh, path: "" });
          break;
        }
        this.isOver = true;
        this.hearing.refused(told);
    }
  }

  /**
   * Forget what the server has.
   * @param {number} offset of the session's sound
   */
  drop(offset) {
    if (this.first === null) return;
    while (this.pieces[0] && this.first < offset) {
      const piece = this.pieces[0];
      const safe = Math.min(piece.byteLength, offset - this.first);
      if (safe === piece.byteLength) this.pieces.shift();
      else this.pieces[0] = piece.subarray(safe);
      this.first += safe;
      this.kept -= safe;
      this.sent = Math.max(0, this.sent - safe);
    }
  }

  /** @param {ArrayBuffer} sound */
  say(sound) {
    if (this.isOver || this.ending !== null) return;
    this.pieces.push(new Uint8Array(sound));
    this.kept += sound.byteLength;
    this.flush();
  }

  get kept_s() {
    return this.kept / BYTES_PER_S;
  }

  /** Send what was not sent yet, as long as it gets away; then the end, if that is wanted. */
  flush() {
    clearTimeout(this.flushing);
    let at = 0;
    for (const piece of this.pieces) {
      if (!this.isReady || !this.socket) return;
      if (this.socket.bufferedAmount > MOST_ON_THE_WAY) {
        this.flushing = setTimeout(() => this.flush(), 200);
        return;
      }
      const left = piece.subarray(Math.max(0, this.sent - at));
      for (let from = 0; from < left.byteLength; from += PIECE_BYTES) this.socket.send(left.subarray(from, from + PIECE_BYTES));
      this.sent += left.byteLength;
      at += piece.byteLength;
    }
    if (this.isReady && this.ending !== null) this.command({ type: "end", keep: this.ending });
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    if (isPaused) this.say(new ArrayBuffer(0.6 * BYTES_PER_S)); // which ends the sentence
    this.isPaused = isPaused;
    this.command({ type: isPaused ? "pause" : "go_on" });
  }

  /** @param {boolean} keep */
  end(keep) {
    this.ending = keep;
    this.flush();
  }

  /** @param {object} command */
  command(command) {
    if (this.isReady && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
  }
}
