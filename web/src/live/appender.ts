/** What feeding needs of a SourceBuffer. */
export interface Sink {
  readonly updating: boolean
  readonly buffered: TimeRanges
  appendBuffer(data: BufferSource): void
  remove(start: number, end: number): void
  changeType(mime: string): void
}

type Job = { kind: 'data'; data: ArrayBuffer } | { kind: 'type'; mime: string }

/** Old pictures are kept this long: removing from inside a group of pictures would take the present ones with it. */
const KEEP_S = 30
const TRIM_FROM_S = 45
const QUEUE_LIMIT = 400

/** Feeds one SourceBuffer in order, one operation at a time, and keeps it small. */
export class Appender {
  private readonly jobs: Job[] = []

  constructor(
    private readonly sink: Sink,
    private readonly position: () => number,
    private readonly failed: (error: unknown) => void,
  ) {}

  get waiting(): number {
    return this.jobs.length
  }

  push(data: ArrayBuffer): void {
    this.jobs.push({ kind: 'data', data })
    if (this.jobs.length > QUEUE_LIMIT) this.failed(new Error('the browser takes no more video'))
    else this.pump()
  }

  changeType(mime: string): void {
    this.jobs.push({ kind: 'type', mime })
    this.pump()
  }

  /** Call when the sink says that it is done (`updateend`). */
  pump(): void {
    while (!this.sink.updating) {
      if (this.trim(KEEP_S, TRIM_FROM_S)) return
      const job = this.jobs[0]
      if (!job) return
      try {
        if (job.kind === 'type') this.sink.changeType(job.mime)
        else this.sink.appendBuffer(job.data)
        this.jobs.shift()
      } catch (error) {
        if (!(error instanceof DOMException && error.name === 'QuotaExceededError')) {
          this.failed(error)
          return
        }
        if (!this.trim(10, 10)) this.failed(error)
        return
      }
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
