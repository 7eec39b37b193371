import { correction, nextMove } from '@/playback/clock'
import { Feed, type FeedMessage } from '@/playback/feed'
import { Screen, type ScreenState } from '@/playback/screen'

export interface DeckEvents {
  /** Something that is shown changed: read `time`, `playing`, `waiting`, `states`. */
  changed: () => void
  /** No camera had footage between these moments (milliseconds since 1970): they were left out. */
  skipped: (from: number, to: number) => void
  refused: () => Promise<boolean>
}

export interface DeckRange {
  cameras: string[]
  from: number
  to: number
  at: number
  speed: number
}

const TICK_MS = 100
const ACK_EVERY_MS = 400
/** How far to go for the next frame where none is known yet. */
const FRAME_S = 1 / 25
/** A frame told so far from where the clock stands was on the screen before a seek: a busy browser tells late. */
const STALE_S = 0.5

/** Several cameras played in step: one feed, one clock, one screen each. Times outside are Unix milliseconds. */
export class Deck {
  playing = true
  waiting = true
  over = false
  speed: number
  states: ScreenState[]
  private readonly screens: Screen[]
  private readonly feed: Feed
  private readonly timer: number
  private origin = Number.NaN
  private generation = -1
  /** Media seconds where the clock stood at `since` (milliseconds of the page); it runs where `running`. */
  private base = 0
  private since = 0
  private running = false
  private pending = true
  private acknowledged = 0
  private received: number[]
  /** Media seconds of the frame on the first screen; unknown once it is sent elsewhere. */
  private shown = Number.NaN
  private readonly startAt: number

  constructor(
    videos: HTMLVideoElement[],
    range: DeckRange,
    token: () => string,
    private readonly events: DeckEvents,
  ) {
    this.speed = range.speed
    this.startAt = range.at
    this.received = videos.map(() => 0)
    this.states = videos.map(() => 'loading')
    this.screens = videos.map(
      (video, index) => new Screen(video, (bytes) => this.appended(index, bytes)),
    )
    this.feed = new Feed(
      range,
      token,
      {
        message: (message) => this.heard(message),
        data: (index, generation, data) => {
          if (generation === this.generation) this.screens[index]?.push(data)
        },
        closed: () => {
          this.generation = -1
          this.hold(true)
        },
      },
      events.refused,
    )
    const first = videos[0]
    if (first && 'requestVideoFrameCallback' in first) this.watch(first)
    this.timer = window.setInterval(() => this.tick(), TICK_MS)
  }

  /** The moment on the screens. */
  get time(): number {
    return Number.isNaN(this.origin) ? this.startAt : this.origin + this.now() * 1000
  }

  play(): void {
    this.playing = true
    this.over = false
    this.tick()
  }

  pause(): void {
    this.playing = false
    this.hold(this.pending)
    this.events.changed()
  }

  seek(time: number): void {
    this.over = false
    this.hold(true)
    if (!Number.isNaN(this.origin)) this.base = (time - this.origin) / 1000
    this.feed.seek(time)
    this.events.changed()
  }

  setSpeed(speed: number): void {
    if (speed === this.speed) return
    const anew = speed >= 4 || this.speed >= 4
    this.acknowledgeAll()
    this.hold(anew)
    this.speed = speed
    this.feed.speed(speed)
    this.events.changed()
  }

  /** One frame on (1) or back (-1); stops first. */
  step(by: 1 | -1): void {
    if (this.pending || Number.isNaN(this.origin)) return
    this.pause()
    const first = this.screens[0]
    const known = !first?.video.seeking && Math.abs(this.shown - this.now()) < STALE_S
    const from = known ? this.shown : this.now()
    const to = first?.frames.beside(from, by) ?? from + by * FRAME_S
    this.shown = Number.NaN
    if (first && first.state(to) === 'loading') {
      this.seek(this.origin + to * 1000)
      return
    }
    this.base = to
    for (const screen of this.screens) screen.video.currentTime = to
    this.events.changed()
  }

  get audible(): boolean {
    return /mp4a|opus/i.test(this.screens[0]?.mime ?? '')
  }

  /** Of the first camera; browsers play none but from a person's own click on. */
  set sound(on: boolean) {
    const video = this.screens[0]?.video
    if (video) video.muted = !on
  }

  close(): void {
    window.clearInterval(this.timer)
    this.feed.close()
    for (const screen of this.screens) screen.close()
  }

  private now(): number {
    return this.running ? this.base + ((performance.now() - this.since) / 1000) * this.speed : this.base
  }

  /** Stop the clock where it stands; `pending`: until the server says where to go on. */
  private hold(pending: boolean): void {
    this.base = this.now()
    this.running = false
    this.pending = pending
    if (pending) this.states = this.screens.map(() => 'loading')
    this.waiting = this.playing
    for (const screen of this.screens) if (!screen.video.paused) screen.video.pause()
  }

  private heard(message: FeedMessage): void {
    if (message.type === 'opened') {
      this.origin = Date.parse(message.origin)
      return
    }
    if (message.type === 'position') {
      if (message.generation < this.generation) return
      this.generation = message.generation
      this.received = this.received.map(() => 0)
      this.base = message.media_s
      this.running = false
      this.pending = false
      this.shown = Number.NaN
      for (const screen of this.screens) screen.restart(message.generation, message.media_s)
      return
    }
    const screen = this.screens[message.index]
    if (!screen || message.generation !== this.generation) return
    if (message.type === 'init') screen.init(message.mime)
    else if (message.type === 'gap') screen.gap(message.from_s, message.to_s)
    else if (message.type === 'end') screen.end()
    else if (message.type === 'error') screen.none()
  }

  private appended(index: number, bytes: number): void {
    this.received[index] = bytes
    this.feed.acknowledge(index, this.generation, bytes, this.now())
  }

  private acknowledgeAll(): void {
    this.acknowledged = performance.now()
    if (this.generation < 0 || this.pending) return
    this.screens.forEach((_, index) => {
      this.feed.acknowledge(index, this.generation, this.received[index] ?? 0, this.now())
    })
    this.feed.stand(this.time)
  }

  private tick(): void {
    const time = this.now()
    this.states = this.screens.map((screen) => (this.pending ? 'loading' : screen.state(time)))
    if (performance.now() - this.acknowledged > ACK_EVERY_MS) this.acknowledgeAll()
    for (const screen of this.screens) screen.tick()
    if (!this.running && !this.pending) this.place()
    if (!this.pending && this.playing) this.advance(time)
    this.events.changed()
  }

  /** While the clock stands: a picture that has just come goes to where it stands. */
  private place(): void {
    this.screens.forEach((screen, i) => {
      if (this.states[i] !== 'ready' || screen.video.readyState < 1) return
      if (Math.abs(screen.video.currentTime - screen.entry(this.base)) > 0.1) screen.goTo(this.base)
    })
  }

  private advance(time: number): void {
    const move = nextMove({
      time,
      screens: this.screens.map((screen, i) => ({
        playableTo: screen.playableTo(time),
        gap: screen.gapAt(time),
        over: screen.ended && this.states[i] === 'empty' && !screen.gapAt(time),
        waiting: this.states[i] === 'loading' || (this.states[i] === 'ready' && !this.running && screen.video.readyState < 2),
      })),
    })
    if (move.kind === 'run') this.run(time)
    else if (move.kind === 'wait') this.hold(false)
    else if (move.kind === 'jump') this.jump(time, move.to)
    else this.finish()
  }

  private run(time: number): void {
    if (!this.running) {
      this.base = time
      this.since = performance.now()
      this.running = true
    }
    this.waiting = false
    this.screens.forEach((screen, i) => {
      const { video } = screen
      if (this.states[i] !== 'ready') {
        if (!video.paused) video.pause()
        return
      }
      const { seek, rate } = correction(video.currentTime - screen.entry(time), this.speed)
      if (seek) screen.goTo(time)
      if (video.playbackRate !== rate) video.playbackRate = rate
      if (video.paused) void video.play().catch(() => undefined)
    })
  }

  private jump(from: number, to: number): void {
    this.hold(false)
    this.base = to
    this.shown = Number.NaN
    for (const screen of this.screens) screen.goTo(to)
    this.events.skipped(this.origin + from * 1000, this.origin + to * 1000)
    this.acknowledgeAll()
  }

  private finish(): void {
    this.hold(false)
    this.playing = false
    this.waiting = false
    this.over = true
  }

  /** Learns which frame is on the first screen. */
  private watch(video: HTMLVideoElement): void {
    video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.shown = video.seeking ? Number.NaN : mediaTime
      this.watch(video)
    })
  }
}
