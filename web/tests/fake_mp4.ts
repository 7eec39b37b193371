/** Fragmented MP4 as the recorder writes it, with bytes that are no pictures. */

function box(kind: string, ...parts: Uint8Array[]): Uint8Array {
  const size = 8 + parts.reduce((sum, part) => sum + part.length, 0)
  const whole = new Uint8Array(size)
  new DataView(whole.buffer).setUint32(0, size)
  whole.set([...kind].map((letter) => letter.charCodeAt(0)), 4)
  let at = 8
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function words(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  values.forEach((value, i) => view.setInt32(i * 4, value | 0))
  return new Uint8Array(view.buffer)
}

/** `begin` in ticks; `rows`: duration and composition offset in ticks. */
export function chunk(begin: number, rows: [number, number][], trackId = 1): Uint8Array {
  const composed = rows.some(([, offset]) => offset)
  const table = rows.flatMap(([lasts, offset]) => (composed ? [lasts, 99, offset] : [lasts, 99]))
  const run = box('trun', words(0x01000000 | 0x305 | (composed ? 0x800 : 0), rows.length, 0, 0x02000000, ...table))
  const decode = box('tfdt', words(0x01000000, Math.floor(begin / 2 ** 32), begin))
  const traf = box('traf', box('tfhd', words(0x020000, trackId)), decode, run)
  const moof = box('moof', box('mfhd', words(0, 1)), traf)
  const whole = [moof, box('mdat', new Uint8Array(99))]
  return new Uint8Array(whole.flatMap((part) => [...part]))
}

export const joined = (...chunks: Uint8Array[]): ArrayBuffer => new Uint8Array(chunks.flatMap((one) => [...one])).buffer
