import { describe, expect, it } from 'vitest'

import { Appender, type Sink } from '@/live/appender'

/** A SourceBuffer that keeps the rules of the standard: one operation at a time, or it throws. */
class Buffer extends EventTarget implements Sink {
  updating = false
  readonly log: string[] = []
  span: [number, number] | null = null
  full = false
  removed = false

  get buffered(): TimeRanges {
    if (this.removed) throw new DOMException('removed from the parent media source', 'InvalidStateError')
    const span = this.span
    return { length: span ? 1 : 0, start: () => span![0], end: () => span![1] }
  }

  private begin(what: string): void {
    if (this.updating) throw new DOMException('busy', 'InvalidStateError')
    this.updating = true
    this.log.push(what)
  }

  appendBuffer(data: ArrayBuffer): void {
    if (this.full) throw new DOMException('full', 'QuotaExceededError')
    this.begin(`data ${data.byteLength}`)
  }

  remove(start: number, end: number): void {
    this.begin(`remove ${start}-${end}`)
    this.span = [end, this.span![1]]
    this.full = false
  }

  changeType(mime: string): void {
    if (this.updating) throw new DOMException('busy', 'InvalidStateError')
    this.log.push(`type ${mime}`)
  }
}

function setUp(): { buffer: Buffer; appender: Appender; done: () => void; at: { now: number }; errors: unknown[] } {
  const buffer = new Buffer()
  const at = { now: 0 }
  const errors: unknown[] = []
  const appender = new Appender(buffer, () => at.now, (error) => errors.push(error))
  const done = (): void => {
    buffer.updating = false
    buffer.dispatchEvent(new Event('updateend'))
  }
  return { buffer, appender, done, at, errors }
}

describe('Appender', () => {
  it('feeds in order, one at a time', () => {
    const { buffer, appender, done, errors } = setUp()
    for (const size of [1, 2, 3]) appender.push(new ArrayBuffer(size))
    expect(buffer.log).toEqual(['data 1'])
    done()
    done()
    done()
    expect(buffer.log).toEqual(['data 1', 'data 2', 'data 3'])
    expect(errors).toEqual([])
  })

  it('changes the type between the data before and after it', () => {
    const { buffer, appender, done } = setUp()
    appender.push(new ArrayBuffer(1))
    appender.changeType('video/mp4')
    appender.push(new ArrayBuffer(2))
    done()
    expect(buffer.log).toEqual(['data 1', 'type video/mp4', 'data 2'])
  })

  it('trims what is long past, and only that', () => {
    const { buffer, appender, done, at } = setUp()
    buffer.span = [0, 60]
    at.now = 40
    appender.push(new ArrayBuffer(1))
    expect(buffer.log).toEqual(['data 1'])
    at.now = 59
    done()
    expect(buffer.log.at(-1)).toBe('remove 0-29')
  })

  it('makes room when the browser is full, and goes on', () => {
    const { buffer, appender, done, at, errors } = setUp()
    buffer.span = [0, 41]
    at.now = 40
    buffer.full = true
    appender.push(new ArrayBuffer(5))
    expect(buffer.log).toEqual(['remove 0-30'])
    done()
    expect(buffer.log).toEqual(['remove 0-30', 'data 5'])
    expect(errors).toEqual([])
  })

  it('asks nothing of a buffer that was taken away while it appended, and hears nothing of it', () => {
    const { buffer, appender, done, errors } = setUp()
    appender.push(new ArrayBuffer(1))
    appender.push(new ArrayBuffer(2))
    appender.close()
    buffer.removed = true
    buffer.dispatchEvent(new Event('error'))
    done()
    appender.push(new ArrayBuffer(3))
    appender.changeType('video/mp4')
    expect(buffer.log).toEqual(['data 1'])
    expect(appender.waiting).toBe(0)
    expect(errors).toEqual([])
  })

  it('fails, and throws at nobody, when the browser took the buffer away by itself', () => {
    const { buffer, appender, errors } = setUp()
    buffer.removed = true
    appender.push(new ArrayBuffer(1))
    expect(errors).toHaveLength(1)
  })

  it('fails when there is no room to make', () => {
    const { buffer, appender, errors } = setUp()
    buffer.full = true
    appender.push(new ArrayBuffer(5))
    expect(errors).toHaveLength(1)
  })
})
