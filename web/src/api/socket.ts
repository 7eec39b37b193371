import { backoff } from '@/live/backoff'

const REFUSED = 4401
const FORBIDDEN = 4403
/** The camera has privacy masks, and this role may not see behind them. */
export const MASKED = 4406

export interface Handlers {
  text: (message: unknown) => void
  binary?: (data: ArrayBuffer) => void
  open?: () => void
  closed?: (code: number) => void
}

export function socketUrl(path: string): string {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
  return `${scheme}//${location.host}${path}`
}

/** A WebSocket that authenticates with its first message and comes back by itself until it is closed.
 *  `refused` is asked for a new token when the one it has no longer counts. */
export class Socket {
  private socket: WebSocket | null = null
  private timer = 0
  private failures = 0
  private done = false

  constructor(
    private readonly path: string,
    private readonly token: () => string,
    private readonly handlers: Handlers,
    private readonly refused: () => Promise<boolean> = () => Promise.resolve(false),
  ) {}

  open(): void {
    this.done = false
    this.connect()
  }

  close(): void {
    this.done = true
    window.clearTimeout(this.timer)
    this.socket?.close(1000)
    this.socket = null
  }

  send(message: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }

  private connect(): void {
    const socket = new WebSocket(socketUrl(this.path))
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: 'auth', token: this.token() }))
      this.handlers.open?.()
    }
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      this.failures = 0
      if (typeof event.data === 'string') this.handlers.text(JSON.parse(event.data))
      else this.handlers.binary?.(event.data)
    }
    socket.onclose = (event) => {
      if (this.socket !== socket) return
      this.socket = null
      this.handlers.closed?.(event.code)
      if (this.done || event.code === FORBIDDEN || event.code === MASKED) return
      if (event.code === REFUSED) {
        void this.refused().then((renewed) => {
          if (renewed && !this.done) this.later()
        })
        return
      }
      this.later()
    }
  }

  private later(): void {
    this.timer = window.setTimeout(() => this.connect(), backoff(this.failures++, Math.random()))
  }
}
