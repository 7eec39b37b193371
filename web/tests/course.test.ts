import { describe, expect, it } from 'vitest'

import { Course, unknown } from '@/api/course'
import type { Alarm, Push } from '@/api/types'
import { withHeard } from '@/stores/alarms'

const site = (seq: number, boot = 'a'): Push => ({ type: 'site', revision: seq, boot, seq })
const begun = (type: 'subscribed' | 'resumed' | 'reset', seq: number, boot = 'a'): Push => ({
  type,
  topics: ['alarms'],
  boot,
  seq,
})
const taken = (course: Course, messages: Push[]): number[] =>
  messages.filter((message) => course.takes(message)).flatMap((message) => (message.type === 'site' ? [message.revision] : []))

describe('where a client stands', () => {
  it('asks for nothing at first, and then for what follows the last message', () => {
    const course = new Course()
    expect(course.resume()).toBeNull()
    expect(taken(course, [begun('subscribed', 5), site(6), site(9)])).toEqual([6, 9])
    expect(course.resume()).toEqual({ boot: 'a', seq: 9 })
  })

  it('takes each message once, however often it comes', () => {
    const course = new Course()
    taken(course, [begun('subscribed', 0), site(1), site(2)])
    course.cut()
    expect(taken(course, [site(7), begun('resumed', 2), site(2), site(3), site(7), site(7)])).toEqual([3, 7])
  })

  it('keeps its place where a connection ends before the server has answered', () => {
    const course = new Course()
    taken(course, [begun('subscribed', 0), site(4)])
    course.cut()
    expect(taken(course, [{ type: 'ready', boot: 'a', seq: 8 }])).toEqual([])
    expect(course.resume()).toEqual({ boot: 'a', seq: 4 })
  })

  it('begins anew with a server that has started anew', () => {
    const course = new Course()
    taken(course, [begun('subscribed', 0), site(40)])
    course.cut()
    expect(taken(course, [begun('reset', 3, 'b'), site(41), site(4, 'b')])).toEqual([4])
    expect(course.resume()).toEqual({ boot: 'b', seq: 4 })
  })

  it('hears what could be resumed after a reset of the rest', () => {
    const course = new Course()
    taken(course, [begun('subscribed', 0), site(4)])
    course.cut()
    expect(taken(course, [begun('reset', 9), begun('resumed', 4), site(6), site(10)])).toEqual([6, 10])
  })

  it('does not number states and tracks', () => {
    expect(new Course().takes({ type: 'site', revision: 1 })).toBe(true)
    expect(new Course().takes({ type: 'lagged', missed: 3 })).toBe(true)
  })
})

describe('what must be read anew', () => {
  it('is nothing where only tracks were lost or all was resumed', () => {
    expect(unknown({ type: 'lagged', missed: 3 })).toEqual([])
    expect(unknown(begun('resumed', 3))).toEqual([])
  })

  it('is what the server names', () => {
    expect(unknown({ type: 'lagged', missed: 3, topics: ['streams'], from: 1, to: 4 })).toEqual(['streams'])
    expect(unknown(begun('reset', 3))).toEqual(['alarms'])
  })
})

describe('a page read while alarms come in', () => {
  const alarm = (id: string, state: string): Alarm => ({ id, raised: id, state }) as Alarm

  it('does not put an older state over a newer one', () => {
    expect(withHeard([alarm('b', 'new'), alarm('a', 'new')], [alarm('a', 'closed'), alarm('c', 'new')])).toEqual([
      alarm('c', 'new'),
      alarm('b', 'new'),
      alarm('a', 'closed'),
    ])
  })
})
