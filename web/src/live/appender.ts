/** What feeding needs of a SourceBuffer. */
export interface Sink {
  readonly updating: boolean
  readonly buffered: TimeRanges
  appendBuffer(data: BufferSource): void
  remove(start: number, end: number): void
  changeType(mime: string): void
  /** An abort of `signal` takes the listener away. */
  addEventListener(type: 'updateend' | 'error', heard: () => void, options: { signal: AbortSignal }): void
}

type Job = { kind: 'data'; data: ArrayBuffer } | { kind: 'type'; mime: string }

/** Old pictures are kept this long: removing from inside a group of pictures would take the present ones with it. */
const KEEP_S = 30
const TRIM_FROM_S = 45
const QUEUE_LIMIT = 400

/**
 * Feeds one SourceBuffer in order, one operation at a time, and keeps it small. After `close` it touches it no more and
 * says nothing more: the browser tells of an interrupted append only later, when the buffer is no longer to be asked.
 */
export class Appender {
  private readonly jobs: Job[] = []
  private readonly life = new AbortController()

  constructor(
    private readonly sink: Sink,
    private readonly position: () => number,
    private readonly failed: (error: unknown) => void,
  ) {
    const { signal } = this.life
    sink.addEventListener('updateend', () => this.pump(), { signal })
    sink.addEventListener('error', () => failed(new Error('the browser cannot read this video')), { signal })
  }

  close(): void {
    this.life.abort()
    this.jobs.length = 0
  }

  get waiting(): number {
    return this.jobs.length
  }

  push(data: ArrayBuffer): void {
    if (this.life.signal.aborted) return
    this.jobs.push({ kind: 'data', data })
    if (this.jobs.length > QUEUE_LIMIT) this.failed(new Error('the browser takes no more video'))
    else this.pump()
  }

  changeType(mime: string): void {
    if (this.life.signal.aborted) return
    this.jobs.push({ kind: 'type', mime })
    this.pump()
  }

  private pump(): void {
    try {
      while (!this.sink.updating) {
        if (this.trim(KEEP_S, TRIM_FROM_S)) return
        const job = this.jobs[0]
        if (!job) return
        if (job.kind === 'type') this.sink.changeType(job.mime)
        else this.sink.appendBuffer(job.data)
        this.jobs.shift()
      }
    } catch (error) {
      const full = error instanceof DOMException && error.name === 'QuotaExceededError'
      if (!full || !this.trim(10, 10)) this.failed(error)
    }
  }

  private trim(keep: number, from: number): boolean {
    const ranges = this.sink.buffered
    if (!ranges.length) return false
    const start = ranges.start(0)
    const now = this.position()
    if (now - start <= from) return false
    this.sink.remove(start, now - keep)
    return true
  }
}
