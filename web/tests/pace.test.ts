import { describe, expect, it } from 'vitest'

import { backoff } from '@/live/backoff'
import { acrossGap, NEAREST, Pace } from '@/live/pace'

/** Plays `seconds` of wall-clock time against an edge that grows evenly; returns where the video ends up. */
function play(pace: Pace, lag: number, seconds: number, trackDelay = 0): { lag: number; seeks: number } {
  const tick = 0.25
  let time = 100 - lag
  let edge = 100
  let seeks = 0
  for (let now = 0; now < seconds; now += tick) {
    const step = pace.step({ time, edge, trackDelay, now })
    if (step.seek !== null) {
      time = step.seek
      seeks += 1
    }
    time += tick * step.rate
    edge += tick
  }
  return { lag: edge - time, seeks }
}

describe('Pace', () => {
  it('jumps once when far behind, and stays near the edge', () => {
    const end = play(new Pace(), 20, 5)
    expect(end.seeks).toBe(1)
    expect(end.lag).toBeLessThan(1)
  })

  it('catches up gently when a little behind', () => {
    const end = play(new Pace(), 2, 30)
    expect(end.seeks).toBe(0)
    expect(end.lag).toBeLessThan(NEAREST + 0.4)
  })

  it('falls back when too near', () => {
    expect(play(new Pace(), 0.05, 10).lag).toBeGreaterThan(0.15)
  })

  it('waits for the boxes, within reason', () => {
    const pace = new Pace()
    expect(pace.target(0.8)).toBeCloseTo(0.8)
    expect(pace.target(30)).toBeLessThanOrEqual(1.6)
    expect(pace.target(-5)).toBe(NEAREST)
  })

  it('keeps more distance after stalls, and less again later', () => {
    const pace = new Pace()
    for (let i = 0; i < 20; i += 1) pace.stalled(0)
    const far = pace.target(0)
    expect(far).toBeGreaterThan(NEAREST)
    expect(far).toBeLessThanOrEqual(1.6)
    play(pace, 1, 200)
    expect(pace.target(0)).toBe(NEAREST)
  })
})

describe('acrossGap', () => {
  const spans = [
    { start: 0, end: 10 },
    { start: 12, end: 20 },
  ]

  it('jumps from the end of one range to the next', () => {
    expect(acrossGap(10, spans)).toBeCloseTo(12, 2)
    expect(acrossGap(11, spans)).toBeCloseTo(12, 2)
  })

  it('stays where there is something to play, or nothing to come', () => {
    expect(acrossGap(5, spans)).toBeNull()
    expect(acrossGap(20, spans)).toBeNull()
  })

  it('enters a range that begins later', () => {
    expect(acrossGap(0, [{ start: 3, end: 5 }])).toBeCloseTo(3, 2)
  })
})

describe('backoff', () => {
  it('grows, is capped and spread', () => {
    expect(backoff(0, 1)).toBe(500)
    expect(backoff(3, 0)).toBeLessThan(backoff(3, 1))
    expect(backoff(1000, 1)).toBe(8000)
  })
})
