// @ts-check
/** Uploads that go on where they were interrupted, as tus 1.0 describes them. */
import { refusal } from "./asking.js";

const UPLOADS = "/api/v1/uploads";
const TUS = { "Tus-Resumable": "1.0.0" };
export const SLICE_BYTES = 8 << 20;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** It was refused: trying again is of no use. */
export class Refused extends Error {}

/** The server does not know the upload any more. */
export class Forgotten extends Error {}

/** @param {string} text */
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/**
 * Do something until the server can be reached, waiting longer each time.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {() => void} interrupted called before each wait
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export async function persist(attempt, interrupted, signal) {
  for (let wait_ms = FIRST_WAIT_MS; ; wait_ms = Math.min(LONGEST_WAIT_MS, wait_ms * 2)) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof Refused || error instanceof Forgotten || signal.aborted) throw error;
      interrupted();
      await new Promise((done) => {
        const timer = setTimeout(done, wait_ms);
        for (const [target, name] of /** @type {[EventTarget, string][]} */ ([[window, "online"], [signal, "abort"]]))
          target.addEventListener(name, () => (clearTimeout(timer), done(null)), { once: true });
      });
    }
  }
}

/**
 * Begin an upload; return its address.
 * @param {string} inbox
 * @param {string} name
 * @param {number | null} bytes null: not known yet
 * @returns {Promise<string>}
 */
export async function begin(inbox, name, bytes) {
  /** @type {Record<string, string>} */
  const length = bytes === null ? { "Upload-Defer-Length": "1" } : { "Upload-Length": String(bytes) };
  const metadata = `inbox ${base64(inbox)},filename ${base64(name)}`;
  const response = await fetch(UPLOADS, { method: "POST", headers: { ...TUS, ...length, "Upload-Metadata": metadata } });
  await check(response);
  return response.headers.get("Location") ?? "";
}

/**
 * How much of it the server has.
 * @param {string} address
 * @returns {Promise<number>}
 */
export async function offset(address) {
  const response = await fetch(address, { method: "HEAD", headers: TUS });
  await check(response);
  return Number(response.headers.get("Upload-Offset"));
}

/**
 * Send a slice; return where the recording was put, "" while there is more to come.
 * @param {string} address
 * @param {number} at
 * @param {Blob} slice
 * @param {AbortSignal} signal
 * @param {(sent: number) => void} sent
 * @param {number} [bytes] the whole length, where it is known only now
 * @returns {Promise<string>}
 */
export function send(address, at, slice, signal, sent, bytes) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("PATCH", address);
    const headers = { ...TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(at) };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (bytes !== undefined) request.setRequestHeader("Upload-Length", String(bytes));
    request.upload.addEventListener("progress", (event) => sent(event.loaded));
    request.addEventListener("load", () => {
      if (request.status === 204) return done(decodeURIComponent(request.getResponseHeader("X-Recording-Path") ?? ""));
      fail(problem(new Response(request.responseText, { status: request.status })));
    });
    for (const name of ["error", "abort", "timeout"]) request.addEventListener(name, () => fail(new Error(name)));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(slice);
  }).catch(async (error) => {
    throw await error;
  });
}

/** @param {string} address */
export const forget = (address) => fetch(address, { method: "DELETE", headers: TUS });

/** @param {Response} response */
async function check(response) {
  if (!response.ok) throw await problem(response);
}

/**
 * @param {Response} response
 * @returns {Promise<Error>}
 */
async function problem(response) {
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  if (response.status === 404 && response.type !== "error") return new Forgotten(await refusal(response));
  if (response.status === 409 || response.status >= 500) return new Error(await refusal(response)); // may pass
  return new Refused(await refusal(response));
}
