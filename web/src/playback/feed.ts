import { Socket } from '@/api/socket'

/** What the server says on `/ws/playback`; times in media seconds: wall clock less `origin`. */
export type FeedMessage =
  | { type: 'opened'; generation: number; origin: string; from: string; to: string; cameras: string[] }
  | { type: 'position'; generation: number; media_s: number; keyframes_only: boolean }
  | { type: 'init'; generation: number; index: number; mime: string; width: number; height: number; media_s: number }
  | { type: 'gap'; generation: number; index: number; from_s: number; to_s: number }
  | { type: 'end'; generation: number; index: number }
  | { type: 'error'; generation: number; index: number; code: string; message: string }

export interface FeedRange {
  cameras: string[]
  /** Milliseconds since 1970. */
  from: number
  to: number
  at: number
  speed: number
}

export interface FeedEvents {
  message: (message: FeedMessage) => void
  data: (index: number, generation: number, data: ArrayBuffer) => void
  closed: () => void
}

const HEADER = 8
/** Times are sent in whole milliseconds. */
const SAME_MS = 2
const iso = (time: number): string => new Date(time).toISOString()

export interface Piece {
  index: number
  generation: number
  body: ArrayBuffer
}

/** One binary message: kind, index, two zeros, generation, then fragmented MP4. Null for what is no such thing. */
export function readPiece(data: ArrayBuffer): Piece | null {
  if (data.byteLength <= HEADER) return null
  const view = new DataView(data)
  const kind = view.getUint8(0)
  if (kind !== 1 && kind !== 2) return null
  return { index: view.getUint8(1), generation: view.getUint32(4), body: data.slice(HEADER) }
}

/** The one connection of a playback wall; it comes back by itself and goes on where the wall stands. */
export class Feed {
  private readonly socket: Socket
  private origin = Number.NaN
  /** Where it was asked to go (milliseconds since 1970) while the server has not yet said that it is there. */
  private sought: number | null = null

  constructor(
    private readonly range: FeedRange,
    token: () => string,
    events: FeedEvents,
    refused: () => Promise<boolean>,
  ) {
    this.socket = new Socket(
      '/ws/playback',
      token,
      {
        text: (message) => {
          if (this.counts(message as FeedMessage)) events.message(message as FeedMessage)
        },
        binary: (data) => {
          const piece = readPiece(data)
          if (piece) events.data(piece.index, piece.generation, piece.body)
        },
        open: () => {
          const { cameras, from, to, at, speed } = this.range
          this.sought = this.within(at)
          this.socket.send({ type: 'open', cameras, from: iso(from), to: iso(to), speed })
          if (at > from) this.socket.send({ type: 'seek', at: iso(at) })
        },
        closed: events.closed,
      },
      refused,
    )
    this.socket.open()
  }

  /** Where to go on from should the connection break. */
  stand(at: number): void {
    this.range.at = at
  }

  seek(at: number): void {
    this.range.at = at
    this.sought = this.within(at)
    this.socket.send({ type: 'seek', at: iso(at) })
  }

  speed(speed: number): void {
    this.range.speed = speed
    this.socket.send({ type: 'speed', speed })
  }

  acknowledge(index: number, generation: number, bytes: number, position: number): void {
    const at = Math.max(0, position)
    this.socket.send({ type: 'ack', index, generation, bytes, position_s: Math.round(at * 1000) / 1000 })
  }

  close(): void {
    this.socket.close()
  }

  private within(at: number): number {
    return Math.min(Math.max(at, this.range.from), this.range.to)
  }

  /**
   * A position that answers something older than the last seek is passed over, and all of its generation with it: to go
   * there first would take back what somebody does meanwhile.
   */
  private counts(message: FeedMessage): boolean {
    if (message.type === 'opened') this.origin = Date.parse(message.origin)
    if (message.type !== 'position' || this.sought === null) return true
    if (Math.abs(this.origin + message.media_s * 1000 - this.sought) > SAME_MS) return false
    this.sought = null
    return true
  }
}
