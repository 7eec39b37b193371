import { describe, expect, it } from 'vitest'

import type { Alarm, Recording } from '@/api/types'
import { crossingInClip, walked } from '@/draw/alarm'
import { bestLayout } from '@/live/layout'
import { fit, footage, playable, ticks, windowAround } from '@/live/timeline'
import { merged } from '@/stores/alarms'

const DAY = { from: 0, to: 24 * 3_600_000 }
const MINUTE = 60_000

function piece(from: number, to: number): Recording {
  return { start: new Date(from).toISOString(), end: new Date(to).toISOString() } as Recording
}

describe('footage', () => {
  it('joins files that follow each other and keeps real gaps', () => {
    const ranges = footage([piece(20_000, 30_000), piece(0, 10_000), piece(10_400, 20_000), piece(60_000, 70_000)])
    expect(ranges).toEqual([
      { from: 0, to: 30_000 },
      { from: 60_000, to: 70_000 },
    ])
  })

  it('plays from the moment asked for, or from the next footage', () => {
    const ranges = [
      { from: 10, to: 20 },
      { from: 30, to: 40 },
    ]
    expect([5, 15, 20, 25, 40].map((at) => playable(ranges, at))).toEqual([10, 15, 30, 30, null])
  })
})

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
