import type { Push } from '@/api/types'

export interface Place {
  boot: string
  seq: number
}

/** Where a client stands among the server's numbered messages: what it asks for after a cut, and what is new to it. */
export class Course {
  private place: Place | null = null
  private settled = false

  /** The last message that came, to be sent with a subscription; none at first. */
  resume(): Place | null {
    return this.place && { ...this.place }
  }

  /** A new connection: nothing counts until the server has said where it begins. */
  cut(): void {
    this.settled = false
  }

  forget(): void {
    this.place = null
    this.settled = false
  }

  /** Whether a message is to be taken: true for those without a number, and once for each with one. */
  takes(message: Push): boolean {
    if (message.type === 'subscribed' || message.type === 'resumed' || message.type === 'reset') {
      // After a reset of some topics, `resumed` goes back to the older place for the others.
      this.place = { boot: message.boot, seq: message.seq }
      this.settled = true
      return true
    }
    if (!('seq' in message) || message.seq === undefined || message.type === 'ready') return true
    if (!this.settled || !this.place || message.boot !== this.place.boot || message.seq <= this.place.seq) return false
    this.place.seq = message.seq
    return true
  }
}

/** Topics whose state must be read anew after this message. */
export function unknown(message: Push): readonly string[] {
  if (message.type === 'subscribed' || message.type === 'reset') return message.topics
  return message.type === 'lagged' ? (message.topics ?? []) : []
}
