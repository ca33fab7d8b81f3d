// @ts-check
/** What the microphone gave, kept in the browser until the server has put the whole of it into its inbox. */

/** @typedef {{id: string, name: string, inbox: string, began: number, address: string, ended: boolean}} Kept */

/** @returns {Promise<IDBDatabase>} */
const opened = new Promise((done, fail) => {
  const request = indexedDB.open("recorder", 1);
  request.addEventListener("upgradeneeded", () => {
    request.result.createObjectStore("recordings", { keyPath: "id" });
    request.result.createObjectStore("slices", { keyPath: ["id", "number"] });
  });
  request.addEventListener("success", () => done(request.result));
  request.addEventListener("error", () => fail(request.error));
});

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const result = (request) =>
  new Promise((done, fail) => {
    request.addEventListener("success", () => done(request.result));
    request.addEventListener("error", () => fail(request.error));
  });

/**
 * @param {string} store
 * @param {IDBTransactionMode} mode
 */
const table = async (store, mode) => (await opened).transaction(store, mode).objectStore(store);

/** @param {Kept} kept */
export const keep = async (kept) => void (await result((await table("recordings", "readwrite")).put(kept)));

/** @returns {Promise<Kept[]>} */
export const allKept = async () => result((await table("recordings", "readonly")).getAll());

/** @param {string} id @param {number} number @param {Blob} blob */
export const keepSlice = async (id, number, blob) => {
  const content = await blob.arrayBuffer(); // blobs themselves do not survive everywhere
  await result((await table("slices", "readwrite")).put({ id, number, content }));
};

/** @param {string} id @returns {Promise<Blob>} all that was recorded */
export async function whole(id) {
  const store = await table("slices", "readonly");
  const rows = await result(store.getAll(IDBKeyRange.bound([id, 0], [id, Infinity])));
  return new Blob(rows.map((/** @type {{content: ArrayBuffer}} */ row) => row.content));
}

/** @param {string} id */
export async function drop(id) {
  await result((await table("slices", "readwrite")).delete(IDBKeyRange.bound([id, 0], [id, Infinity])));
  await result((await table("recordings", "readwrite")).delete(id));
}
