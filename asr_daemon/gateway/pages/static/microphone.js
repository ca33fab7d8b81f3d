// @ts-check
/** The microphone as int16 at 16 kHz, and which there are. */

/** @typedef {{close: () => void, device: string}} Microphone */

/** @returns {Promise<MediaDeviceInfo[]>} */
export const microphones = async () => (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === "audioinput" && each.deviceId);

/**
 * Open one; `heard` is told of every tenth of a second, with the loudest sample of it (0 to 1).
 * @param {string} device "" is the usual one
 * @param {string} worklet the address of its script
 * @param {(sound: ArrayBuffer, peak: number) => void} heard
 * @param {() => void} lost it was unplugged
 * @returns {Promise<Microphone>}
 */
export async function openMicrophone(device, worklet, heard, lost) {
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, ...(device ? { deviceId: { exact: device } } : {}) };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const { context, source } = connected(stream);
  await context.audioWorklet.addModule(worklet);
  const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  node.port.onmessage = (event) => heard(event.data.sound, event.data.peak);
  source.connect(node);
  await context.resume();
  for (const track of stream.getTracks()) track.addEventListener("ended", lost);
  return {
    device: stream.getAudioTracks()[0]?.getSettings().deviceId ?? "",
    close() {
      node.port.onmessage = null;
      for (const track of stream.getTracks()) track.stop();
      context.close();
    },
  };
}

/**
 * A context of our rate; of the device's where the browser does not convert (Firefox).
 * @param {MediaStream} stream
 */
function connected(stream) {
  const context = new AudioContext({ sampleRate: 16000 });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    context.close();
    const own = new AudioContext();
    return { context: own, source: own.createMediaStreamSource(stream) };
  }
}
