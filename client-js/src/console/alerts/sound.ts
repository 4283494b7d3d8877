/** A soft chime, made on the spot: two notes, a fifth apart, that fade. */

const NOTES = [587.33, 880];
const APART = 0.11;
const LENGTH = 0.55;
const LOUDNESS = 0.07;

let context: AudioContext | null = null;

/** Silent until the person has touched the page: browsers allow no sound before. */
export function chime(): void {
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume();
  const start = context.currentTime + 0.01;
  for (const [index, note] of NOTES.entries()) play(context, note, start + index * APART);
}

function play(audio: AudioContext, frequency: number, at: number): void {
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.type = "sine";
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.0001, at + LENGTH);
  tone.connect(volume).connect(audio.destination);
  tone.start(at);
  tone.stop(at + LENGTH);
}
