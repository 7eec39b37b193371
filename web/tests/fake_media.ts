/** Media Source Extensions by the letter of the standard, without pictures: for tests of what feeds them. */

export class FakeBuffer extends EventTarget {
  updating = false
  mode = 'segments'
  removed = false
  span: [number, number] | null = null
  appended = 0
  /** How often it was asked for something after its source had let go of it. */
  misused = 0

  constructor(private readonly source: FakeSource) {
    super()
  }

  get buffered(): TimeRanges {
    this.present()
    const span = this.span
    return { length: span ? 1 : 0, start: () => span![0], end: () => span![1] }
  }

  appendBuffer(data: ArrayBuffer): void {
    this.present()
    if (this.updating) throw new DOMException('busy', 'InvalidStateError')
    this.updating = true
    this.appended += data.byteLength
    this.source.duration = Infinity
  }

  changeType(): void {
    this.present()
  }

  abort(): void {
    this.present()
    if (this.updating) this.finish()
  }

  remove(): void {
    this.present()
    if (Number.isNaN(this.source.duration)) throw new TypeError('The duration is not known')
    this.updating = true
    this.span = null
  }

  /** What the browser says when an operation has ended, whichever way. */
  finish(): void {
    this.updating = false
    this.dispatchEvent(new Event('updateend'))
  }

  private present(): void {
    if (!this.removed) return
    this.misused += 1
    throw new DOMException('This SourceBuffer has been removed', 'InvalidStateError')
  }
}

export class FakeSource extends EventTarget {
  static made: FakeSource[] = []
  static isTypeSupported = (): boolean => true
  readyState = 'closed'
  duration = Number.NaN
  readonly buffers: FakeBuffer[] = []

  constructor() {
    super()
    FakeSource.made.push(this)
  }

  addSourceBuffer(): FakeBuffer {
    const buffer = new FakeBuffer(this)
    this.buffers.push(buffer)
    return buffer
  }

  open(): void {
    this.readyState = 'open'
    this.dispatchEvent(new Event('sourceopen'))
  }

  /** As an element does that goes on to something else: at once, while events are told later. */
  detach(): void {
    this.readyState = 'closed'
    for (const buffer of this.buffers) buffer.removed = true
  }

  endOfStream(): void {
    this.readyState = 'ended'
  }
}

/** A video element that shows what the newest source has; `load` without a `src` detaches it. */
export class FakeVideo extends EventTarget {
  currentTime = 0
  playbackRate = 1
  paused = true
  seeking = false
  muted = false
  playsInline = false
  disableRemotePlayback = false
  readyState = 4
  error: unknown = null
  src = ''

  play(): Promise<void> {
    this.paused = false
    return Promise.resolve()
  }

  pause(): void {
    this.paused = true
  }

  removeAttribute(): void {
    this.src = ''
  }

  load(): void {
    FakeSource.made.at(-1)?.detach()
  }
}

/** A WebSocket that the test is the other end of. */
export class FakeSocket {
  static readonly OPEN = 1
  static made: FakeSocket[] = []
  readyState = 0
  binaryType = ''
  readonly sent: Record<string, unknown>[] = []
  onopen: () => void = () => undefined
  onmessage: (event: { data: string | ArrayBuffer }) => void = () => undefined
  onclose: (event: { code: number }) => void = () => undefined

  constructor(readonly url: string) {
    FakeSocket.made.push(this)
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>)
  }

  close(): void {
    this.readyState = 3
  }

  opens(): void {
    this.readyState = FakeSocket.OPEN
    this.onopen()
  }

  says(message: unknown): void {
    this.onmessage({ data: JSON.stringify(message) })
  }

  gives(data: ArrayBuffer): void {
    this.onmessage({ data })
  }
}
