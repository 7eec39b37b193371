/** What the server tells of one picture: its RTP time (1/90000 s, 32 bit), stream time and wall-clock time. */
export interface Moment {
  epoch: number
  stream_time_s: number
  rtp: number
  wall: string
}

const WRAP = 2 ** 32
const RATE = 90_000

/** Seconds from `from` to `to` on RTP's clock, which begins anew every thirteen hours. */
export function rtpSeconds(from: number, to: number): number {
  const ticks = (((to - from) % WRAP) + WRAP) % WRAP
  return (ticks >= WRAP / 2 ? ticks - WRAP : ticks) / RATE
}

/** Stream time of the picture with this RTP time. */
export function streamTime(moment: Moment, rtp: number): number {
  return moment.stream_time_s + rtpSeconds(moment.rtp, rtp)
}
