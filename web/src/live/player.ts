import { withQuery } from '@/api/http'
import { MASKED, Socket } from '@/api/socket'
import type { Stream } from '@/api/types'
import { Appender } from '@/live/appender'
import { acrossGap, Pace } from '@/live/pace'
import type { LiveSource, PlayerEvents, PlayerStatus } from '@/live/source'
import { tracksOf } from '@/live/tracks'
import { buffered, type Span } from '@/media/spans'

interface Init {
  type: 'init'
  mime: string
  audio: string
  transcode: boolean
  epoch: number
  width: number
  height: number
  stream_time_s: number
}

interface Clock {
  type: 'clock'
  stream_time_s: number
  wall: string
}

type Message = Init | Clock | { type: 'state'; data: Stream }

const TICK_MS = 250
const TRACKS_LOST_S = 2.5
/** Shorter stops are not worth a word. */
const PATIENCE_MS = 1500

function mediaSourceClass(): typeof MediaSource | undefined {
  if (typeof MediaSource !== 'undefined') return MediaSource
  return typeof ManagedMediaSource === 'undefined' ? undefined : ManagedMediaSource
}

/**
 * Plays `/ws/live/{camera}` in a video element, near the live edge. The element's `currentTime` is the stream time of
 * `epoch`, which is what ties boxes to pictures.
 */
export class LivePlayer implements LiveSource {
  epoch = -1
  /** Codecs string of the stream, for messages. */
  mime = ''
  /** Codec of the camera's sound, sent or not. */
  audio = ''
  transcode = false

  private readonly socket: Socket
  private readonly pace = new Pace()
  private source: MediaSource | null = null
  private buffer: SourceBuffer | null = null
  private appender: Appender | null = null
  private backlog: ArrayBuffer[] = []
  private objectUrl = ''
  private timer = 0
  /** Whether pictures have come since the connection was made. */
  private open = false
  private patience = 0
  private again = 0
  private status: PlayerStatus = 'connecting'
  private clockOffset: number | null = null
  private placed = false
  private trackDelay = 0
  private lastTime = -1
  private stuckTicks = 0

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly camera: string,
    token: () => string,
    private readonly events: PlayerEvents,
    refused: () => Promise<boolean>,
    query: Record<string, string | undefined> = {},
  ) {
    this.socket = new Socket(
      withQuery(`/ws/live/${encodeURIComponent(camera)}`, query),
      token,
      {
        text: (message) => this.text(message as Message),
        binary: (data) => this.binary(data),
        closed: (code) => {
          this.open = false
          this.set(code === MASKED ? 'masked' : 'connecting')
        },
      },
      refused,
    )
  }

  start(): void {
    this.video.addEventListener('waiting', this.onWaiting)
    this.video.addEventListener('playing', this.onPlaying)
    this.video.addEventListener('error', this.onError)
    document.addEventListener('visibilitychange', this.onVisible)
    this.timer = window.setInterval(() => this.tick(), TICK_MS)
    this.socket.open()
  }

  stop(): void {
    window.clearInterval(this.timer)
    window.clearTimeout(this.patience)
    window.clearTimeout(this.again)
    this.video.removeEventListener('waiting', this.onWaiting)
    this.video.removeEventListener('playing', this.onPlaying)
    this.video.removeEventListener('error', this.onError)
    document.removeEventListener('visibilitychange', this.onVisible)
    this.socket.close()
    this.release()
  }

  /** Wall-clock milliseconds of the picture shown, or null while unknown. */
  wallNow(): number | null {
    return this.clockOffset === null ? null : this.clockOffset + this.video.currentTime * 1000
  }

  timeOf(mediaTime: number): number {
    return mediaTime
  }

  private set(status: PlayerStatus): void {
    if (status === this.status) return
    this.status = status
    this.events.status(status)
  }

  private text(message: Message): void {
    if (message.type === 'init') this.init(message)
    else if (message.type === 'clock') this.clockOffset = Date.parse(message.wall) - message.stream_time_s * 1000
    else if (message.type === 'state') this.events.state(message.data)
  }

  private init(message: Init): void {
    this.mime = message.mime
    this.audio = message.audio
    this.transcode = message.transcode
    this.open = true
    const Source = mediaSourceClass()
    if (!Source || !Source.isTypeSupported(message.mime)) {
      this.release()
      this.socket.close()
      this.set('unsupported')
      return
    }
    if (this.appender && message.epoch === this.epoch && this.source?.readyState === 'open') {
      this.appender.changeType(message.mime)
      return
    }
    this.release()
    this.epoch = message.epoch
    this.clockOffset = null
    this.attach(Source, message.mime)
  }

  private attach(Source: typeof MediaSource, mime: string): void {
    const source = new Source()
    this.source = source
    source.addEventListener(
      'sourceopen',
      () => {
        if (this.source !== source) return
        const buffer = source.addSourceBuffer(mime)
        buffer.mode = 'segments'
        this.buffer = buffer
        this.appender = new Appender(buffer, () => this.video.currentTime, (error) => this.fail(error))
        for (const data of this.backlog.splice(0)) this.appender?.push(data)
      },
      { once: true },
    )
    this.video.disableRemotePlayback = true
    this.objectUrl = URL.createObjectURL(source)
    this.video.src = this.objectUrl
  }

  private binary(data: ArrayBuffer): void {
    if (this.appender) this.appender.push(data)
    else if (this.source) this.backlog.push(data)
  }

  private release(): void {
    this.source = null
    this.buffer = null
    this.appender?.close()
    this.appender = null
    this.backlog = []
    this.placed = false
    this.lastTime = -1
    if (!this.objectUrl) return
    URL.revokeObjectURL(this.objectUrl)
    this.objectUrl = ''
    this.video.removeAttribute('src')
    this.video.load()
  }

  /** A stream that cannot be appended is started afresh from the server's latest key frame. */
  private fail(error: unknown): void {
    console.warn('live', this.camera, error)
    this.release()
    this.epoch = -1
    this.set('broken')
    this.socket.close()
    window.clearTimeout(this.again)
    this.again = window.setTimeout(() => {
      if (this.status === 'broken') this.socket.open()
    }, 1500)
  }

  private tick(): void {
    const { video, buffer } = this
    if (!buffer || this.source?.readyState !== 'open') return
    const ranges = buffered(this.source, buffer)
    const last = ranges.at(-1)
    if (!last) return
    const now = performance.now() / 1000
    if (!this.placed) {
      this.placed = true
      video.currentTime = Math.max(last.start, last.end - this.pace.target(this.trackDelay))
    }
    this.measureTracks(last.end)
    if (video.paused && !document.hidden) void video.play().catch(() => undefined)
    const step = this.pace.step({ time: video.currentTime, edge: last.end, trackDelay: this.trackDelay, now })
    if (step.seek !== null) video.currentTime = step.seek
    else if (video.playbackRate !== step.rate) video.playbackRate = step.rate
    this.watchForGaps(ranges)
  }

  /** Boxes come later than pictures. The delay is remembered, so that a quiet scene does not change the pace. */
  private measureTracks(edge: number): void {
    const tracks = tracksOf(this.camera)
    const delay = edge - tracks.newest
    const sample = tracks.active && delay < TRACKS_LOST_S ? delay + 0.05 : 0
    this.trackDelay = Math.max(sample, this.trackDelay * 0.998)
  }

  private watchForGaps(ranges: Span[]): void {
    const moves = this.video.currentTime > this.lastTime && this.lastTime >= 0
    this.stuckTicks = this.video.currentTime === this.lastTime ? this.stuckTicks + 1 : 0
    if (moves && this.open) this.set('playing')
    this.lastTime = this.video.currentTime
    if (this.stuckTicks < 2) return
    const to = acrossGap(this.video.currentTime, ranges)
    if (to !== null) this.video.currentTime = to
  }

  private readonly onWaiting = (): void => {
    this.pace.stalled(performance.now() / 1000)
    window.clearTimeout(this.patience)
    this.patience = window.setTimeout(() => {
      if (this.status === 'playing' && this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) this.set('waiting')
    }, PATIENCE_MS)
  }

  private readonly onPlaying = (): void => {
    if (this.open) this.set('playing')
  }

  private readonly onError = (): void => {
    if (this.objectUrl && this.video.error) this.fail(this.video.error)
  }

  private readonly onVisible = (): void => {
    if (!document.hidden) this.tick()
  }
}
