import { FrameTimes } from '@/media/frames'
import { buffered } from '@/media/spans'

type Job = { data: ArrayBuffer } | { mime: string } | { clear: true } | { end: true }

export interface Gap {
  from: number
  to: number
}

/** `empty`: nothing there at the moment; `unsupported`: a codec that this browser lacks. */
export type ScreenState = 'loading' | 'ready' | 'empty' | 'unsupported' | 'broken'

const KEEP_S = 20
const TRIM_FROM_S = 40
/** With B-frames the first picture is shown so much after the footage begins, and the last ends before it does. */
const EDGE_S = 0.5

/**
 * One camera of a playback wall: feeds a video element whose media time is the wall clock less the feed's origin.
 * `appended` is called with all bytes taken in of the present generation.
 */
export class Screen {
  generation = -1
  mime = ''
  ended = false
  readonly gaps: Gap[] = []
  readonly frames = new FrameTimes()
  private source: MediaSource | null = null
  private buffer: SourceBuffer | null = null
  private jobs: Job[] = []
  private url = ''
  private bytes = 0
  private failure: 'unsupported' | 'broken' | null = null
  private missing = false
  private target = -1

  constructor(
    readonly video: HTMLVideoElement,
    private readonly appended: (bytes: number) => void,
  ) {
    video.muted = true
    video.playsInline = true
    video.disableRemotePlayback = true
    video.addEventListener('error', this.onError)
  }

  /** Begin anew: everything older is thrown away, and the picture goes to `position`. */
  restart(generation: number, position: number): void {
    this.generation = generation
    this.gaps.length = 0
    this.frames.clear()
    this.ended = false
    this.missing = false
    this.bytes = 0
    this.jobs = []
    if (this.failure === 'broken') this.release()
    if (this.source) {
      this.jobs.push({ clear: true })
      this.pump()
    }
    this.target = -1
    this.video.currentTime = position
  }

  init(mime: string): void {
    this.mime = mime
    this.missing = false
    if (!MediaSource.isTypeSupported(mime)) {
      this.failure = 'unsupported'
      return
    }
    if (this.failure) this.release()
    if (this.source) this.jobs.push({ mime })
    else this.attach(mime)
    this.pump()
  }

  push(data: ArrayBuffer): void {
    if (this.failure) {
      // Taken in all the same, or the server would wait for this camera for ever.
      this.bytes += data.byteLength
      this.appended(this.bytes)
      return
    }
    this.frames.add(data)
    this.jobs.push({ data })
    this.pump()
  }

  gap(from: number, to: number): void {
    this.gaps.push({ from, to })
  }

  end(): void {
    this.ended = true
    this.jobs.push({ end: true })
    this.pump()
  }

  /** Nothing comes from here on. */
  none(): void {
    this.missing = true
  }

  gapAt(time: number): Gap | null {
    return this.gaps.find((gap) => time >= gap.from - 0.05 && time < gap.to - 0.02) ?? null
  }

  /** Where to go for the picture of `time`: there, or where the pictures begin shortly after. */
  entry(time: number): number {
    const near = buffered(this.source, this.buffer).find((one) => time >= one.start - EDGE_S && time < one.end)
    return near && near.start > time ? near.start + 0.001 : time
  }

  /** Show the picture of `time`; asked for again while on its way there, it goes on. */
  goTo(time: number): void {
    const to = this.entry(time)
    if (this.video.seeking && this.target === to) return
    this.target = to
    this.video.currentTime = to
  }

  /** Up to where it can play from `time` without a stop; `time` itself where nothing is there. */
  playableTo(time: number): number {
    const span = buffered(this.source, this.buffer).find((one) => time >= one.start - EDGE_S && time < one.end)
    return span ? span.end : time
  }

  state(time: number): ScreenState {
    if (this.failure) return this.failure
    if (this.missing || this.gapAt(time)) return 'empty'
    if (this.playableTo(time) > time) return 'ready'
    return this.ended && !this.jobs.length ? 'empty' : 'loading'
  }

  release(): void {
    this.jobs = []
    this.source = null
    this.buffer = null
    this.failure = null
    if (!this.url) return
    URL.revokeObjectURL(this.url)
    this.url = ''
    this.video.removeAttribute('src')
    this.video.load()
  }

  close(): void {
    this.video.removeEventListener('error', this.onError)
    this.release()
  }

  private attach(mime: string): void {
    const source = new MediaSource()
    const position = this.video.currentTime
    this.source = source
    source.addEventListener(
      'sourceopen',
      () => {
        if (this.source !== source) return
        this.buffer = source.addSourceBuffer(mime)
        this.buffer.mode = 'segments'
        this.buffer.addEventListener('updateend', () => this.pump())
        this.pump()
      },
      { once: true },
    )
    this.url = URL.createObjectURL(source)
    this.video.src = this.url
    this.video.currentTime = position
  }

  private pump(): void {
    const buffer = this.buffer
    while (buffer && !buffer.updating && this.source?.readyState !== 'closed') {
      if (this.trim(KEEP_S, TRIM_FROM_S)) return
      const job = this.jobs[0]
      if (!job) return
      try {
        this.run(buffer, job)
        this.jobs.shift()
      } catch (error) {
        const full = error instanceof DOMException && error.name === 'QuotaExceededError'
        // Full: what is old goes; else wait until some of it has been played.
        if (!full) this.fail()
        else this.trim(2, 2)
        return
      }
    }
  }

  private run(buffer: SourceBuffer, job: Job): void {
    if ('clear' in job) {
      if (this.source?.readyState === 'open') buffer.abort()
      // Asked to go elsewhere before the first bytes were in: nothing to throw away, and `remove` would throw itself.
      if (!Number.isNaN(this.source?.duration)) buffer.remove(0, Infinity)
    } else if ('mime' in job) buffer.changeType(job.mime)
    else if ('data' in job) {
      buffer.appendBuffer(job.data)
      this.bytes += job.data.byteLength
      this.appended(this.bytes)
    } else if (this.source?.readyState === 'open' && this.jobs.length === 1) this.source.endOfStream()
  }

  /** Call now and then: what waits for room goes on. */
  tick(): void {
    if (this.jobs.length) this.pump()
  }

  private trim(keep: number, from: number): boolean {
    const first = buffered(this.source, this.buffer)[0]
    const now = this.video.currentTime
    if (!this.buffer || !first || this.source?.readyState !== 'open' || now - first.start <= from) return false
    this.buffer.remove(0, now - keep)
    return true
  }

  private fail(): void {
    this.failure = 'broken'
    this.jobs = []
  }

  private readonly onError = (): void => {
    if (this.url && this.video.error) this.fail()
  }
}
