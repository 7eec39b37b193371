import { describe, expect, it } from 'vitest'

import type { Alarm } from '@/api/types'
import { crossingInClip, walked } from '@/draw/alarm'
import { fit, following, ticks, windowAround, zoomed } from '@/draw/timeline'
import { bestLayout } from '@/live/layout'
import { merged } from '@/stores/alarms'

const DAY = { from: 0, to: 24 * 3_600_000 }
const MINUTE = 60_000

describe('window', () => {
  it('stays inside the day', () => {
    expect(windowAround(0, 10 * MINUTE, DAY)).toEqual({ from: 0, to: 10 * MINUTE })
    expect(windowAround(DAY.to, 10 * MINUTE, DAY)).toEqual({ from: DAY.to - 10 * MINUTE, to: DAY.to })
    expect(windowAround(5, 1e12, DAY)).toEqual(DAY)
  })

  it('shows all footage, however little there is', () => {
    const view = fit([{ from: 50 * MINUTE, to: 51 * MINUTE }], DAY)
    expect(view.from).toBeLessThan(50 * MINUTE)
    expect(view.to - view.from).toBe(10 * MINUTE)
    expect(fit([], DAY)).toEqual(DAY)
  })

  it('zooms about what lies under the pointer', () => {
    const view = { from: 0, to: 60 * MINUTE }
    const closer = zoomed(view, 0.5, 15 * MINUTE, DAY)
    expect(closer).toEqual({ from: 7.5 * MINUTE, to: 37.5 * MINUTE })
    expect(zoomed(closer, 1e-9, 15 * MINUTE, DAY).to - zoomed(closer, 1e-9, 15 * MINUTE, DAY).from).toBe(MINUTE)
    expect(zoomed(view, 1e9, 15 * MINUTE, DAY)).toEqual(DAY)
  })

  it('follows a picture only where it leaves', () => {
    const view = { from: 0, to: 10 * MINUTE }
    expect(following(view, 5 * MINUTE, DAY)).toBe(view)
    expect(following(view, 11 * MINUTE, DAY)).toEqual({ from: 6 * MINUTE, to: 16 * MINUTE })
  })

  it('has round times on its ruler, few enough to read', () => {
    const times = ticks({ from: 3 * MINUTE, to: 63 * MINUTE }, 8, DAY)
    expect(times.length).toBeLessThanOrEqual(9)
    expect(times.every((time) => time % (10 * MINUTE) === 0)).toBe(true)
  })
})

describe('alarm overlay', () => {
  const alarm = {
    wall: '2026-01-01T00:00:05.500Z',
    clip: { start: '2026-01-01T00:00:00.250Z' },
    path: [
      [-2, 0, 0],
      [-1, 0.5, 0.5],
      [0, 0.5, 1],
    ],
  } as unknown as Alarm

  it('knows when the crossing is in the clip', () => {
    expect(crossingInClip(alarm)).toBeCloseTo(5.25)
    expect(crossingInClip({ ...alarm, clip: { ...alarm.clip, start: null } })).toBeNull()
  })

  it('draws the way walked so far', () => {
    expect(walked(alarm.path, -3)).toEqual([])
    expect(walked(alarm.path, -1.5)).toEqual([[0, 0], [0.25, 0.25]])
    expect(walked(alarm.path, 0)).toHaveLength(3)
  })
})

describe('alarms', () => {
  const make = (id: string, raised: string, state = 'pending') => ({ id, raised, clip: { state } }) as unknown as Alarm

  it('are newest first, each once, in their newest form', () => {
    const list = merged([make('b', '2'), make('a', '1')], [make('c', '3'), make('a', '1', 'ready')])
    expect(list.map((alarm) => alarm.id)).toEqual(['c', 'b', 'a'])
    expect(list[2]!.clip.state).toBe('ready')
  })
})

describe('layout', () => {
  it('fills the room best', () => {
    expect(bestLayout(4, { width: 1000, height: 700 }, 10, 36).columns).toBe(2)
    expect(bestLayout(2, { width: 2000, height: 500 }, 10, 36).columns).toBe(2)
    expect(bestLayout(2, { width: 600, height: 1000 }, 10, 36).columns).toBe(1)
  })

  it('never overflows', () => {
    for (let count = 1; count <= 9; count += 1) {
      const room = { width: 1234, height: 777 }
      const { columns, width } = bestLayout(count, room, 12, 38)
      const rows = Math.ceil(count / columns)
      expect(columns * width + (columns - 1) * 12).toBeLessThanOrEqual(room.width)
      expect(rows * ((width * 9) / 16 + 38) + (rows - 1) * 12).toBeLessThanOrEqual(room.height + 0.01)
    }
  })
})
