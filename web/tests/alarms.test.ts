import { describe, expect, it } from 'vitest'

import { filterOf } from '@/alarms/filter'
import { matches, withAlarm, withOlder } from '@/alarms/rows'
import type { Alarm, AlarmRow } from '@/api/types'

const alarm = (id: string, more: Partial<Alarm> = {}): Alarm =>
  ({
    id,
    camera: 'gate',
    level: 2,
    state: 'new',
    kind: 'tripwire',
    group: id,
    reason: '',
    assignee: null,
    rule: { id: 'line' },
    raised: `2026-11-27T10:00:0${id.at(-1)}Z`,
    wall: `2026-11-27T10:00:0${id.at(-1)}Z`,
    ...more,
  }) as Alarm
const row = (id: string, group: string, count: number, more: Partial<Alarm> = {}): AlarmRow => ({
  ...alarm(id, { group, ...more }),
  intrusion: { id: group, count, open: count, first: '', last: '2026-11-27T10:00:00Z', level: 2, cameras: ['gate'] },
})

describe('a list of intrusions', () => {
  it('counts a new alarm in the row of its intrusion, which it now stands for', () => {
    const rows = withAlarm([row('a2', 'g', 3), row('a1', 'h', 1)], alarm('a3', { group: 'g', level: 1, camera: 'yard' }), true, true)
    expect(rows.map(({ id }) => id)).toEqual(['a3', 'a1'])
    expect(rows[0]?.intrusion).toMatchObject({ count: 4, open: 4, level: 1, cameras: ['gate', 'yard'] })
  })

  it('takes up an intrusion that nobody has seen yet, at its top', () => {
    const rows = withAlarm([row('a1', 'h', 1)], alarm('a4', { group: 'new' }), true, true)
    expect(rows.map(({ id, intrusion }) => [id, intrusion?.count])).toEqual([['a4', 1], ['a1', 1]])
  })

  it('counts down what is open when an alarm of it is decided, and up when it is opened again', () => {
    const decided = withAlarm([row('a1', 'g', 3)], alarm('a1', { group: 'g', state: 'dismissed' }), false, true)
    expect(decided[0]).toMatchObject({ state: 'dismissed', intrusion: { count: 3, open: 2 } })
    const again = withAlarm(decided, alarm('a1', { group: 'g', state: 'acknowledged' }), false, true)
    expect(again[0]?.intrusion?.open).toBe(3)
  })

  it('leaves out what is changed elsewhere and not shown', () => {
    expect(withAlarm([row('a1', 'g', 1)], alarm('a0', { group: 'x' }), false, true).map(({ id }) => id)).toEqual(['a1'])
  })

  it('never shows one intrusion twice when older ones are read', () => {
    const rows = withOlder([row('a9', 'g', 2)], [row('a5', 'g', 2), row('a4', 'h', 1), row('a9', 'g', 2)])
    expect(rows.map(({ id }) => id)).toEqual(['a9', 'a4'])
  })
})

describe('a list of alarms', () => {
  it('shows each by itself, the newest first', () => {
    const rows = withAlarm([{ ...alarm('a1', { group: 'g' }), intrusion: null }], alarm('a2', { group: 'g' }), true, false)
    expect(rows.map(({ id, intrusion }) => [id, intrusion])).toEqual([['a2', null], ['a1', null]])
  })

  it('takes in only what its filter lets through', () => {
    const one = alarm('a1', { assignee: { id: '7', name: 'ann' }, state: 'dismissed', reason: 'animal' })
    for (const filter of [{}, { assignee: 'me' }, { reason: 'animal' }, { rule: 'line' }, { level: 2 }, { from: one.wall, to: one.wall }]) {
      expect(matches(one, filter, '7'), JSON.stringify(filter)).toBe(true)
    }
    for (const filter of [{ assignee: 'none' }, { reason: 'weather' }, { rule: 'other' }, { state: 'new' as const }, { camera: 'yard' }]) {
      expect(matches(one, filter, '7'), JSON.stringify(filter)).toBe(false)
    }
    expect(matches(one, { assignee: 'me' }, '8')).toBe(false)
  })
})

describe('an address', () => {
  it('names a filter, without what makes no sense', () => {
    expect(filterOf({ camera: 'gate', level: '2', state: 'new', kind: '' })).toEqual({ camera: 'gate', level: 2, state: 'new' })
    expect(filterOf({ level: '9', state: 'exploded', camera: ['a', 'b'] })).toEqual({})
  })
})
