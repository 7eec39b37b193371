import { describe, expect, it } from 'vitest'

import type { RuleKind } from '@/api/types'
import { useEditor } from '@/draw/editor'
import { folded, unfolded } from '@/draw/hours'
import { NUMBERS, OF_KIND } from '@/draw/numbers'
import { newRule, undrawn } from '@/draw/rule'
import { partNames, partsOf, unfinished } from '@/draw/shape'
import type { Rule } from '@/api/types'
import { ref, shallowRef } from 'vue'

const KINDS: RuleKind[] = [
  'tripwire', 'zone', 'fence', 'loiter', 'wrong_way', 'count', 'line_count', 'left_object',
]

describe('every kind', () => {
  it.each(KINDS)('%s begins with nothing drawn and knows its parts', (kind) => {
    const rule = newRule(kind, 'gate', 'R')
    expect(partsOf(rule).every((part) => part.points.length === 0)).toBe(true)
    expect(unfinished(rule)?.name).toBe(partNames(rule)[0])
    expect(undrawn(rule)).toEqual(kind === 'fence' ? { ...rule, between: [] } : rule)
  })

  it.each(KINDS)('%s has a value within bounds for each of its numbers', (kind) => {
    const rule = newRule(kind, 'gate', 'R') as unknown as Record<string, unknown>
    for (const { field, unit } of OF_KIND[kind]) {
      const { min, max } = NUMBERS[field]
      expect(rule[field], field).toBeGreaterThanOrEqual(min)
      expect(rule[field], field).toBeLessThanOrEqual(max)
      if (unit) expect(rule[unit]).toBeTypeOf('string')
    }
  })
})

describe('drawing', () => {
  it('a wrong way takes its zone and then two clicks for the arrow', () => {
    const draft = shallowRef<Rule | null>(newRule('wrong_way', 'gate', 'R'))
    const editor = useEditor(draft, ref({ x: 0, y: 0, width: 1000, height: 500 }))
    editor.begin(draft.value)
    const click = (x: number, y: number): void => {
      editor.press([x, y], false)
      editor.release([x, y], false)
    }
    for (const [x, y] of [[100, 100], [500, 100], [500, 400], [104, 103]] as const) click(x, y)
    expect(editor.drawing.value).toBe('way')
    click(200, 150)
    click(400, 150)
    expect(editor.drawing.value).toBeNull()
    expect(draft.value).toMatchObject({ way: [[0.2, 0.3], [0.4, 0.3]] })
  })

  it('a fence that goes by depth has no inner line to draw', () => {
    const fence = { ...newRule('fence', 'gate', 'R'), outer: [[0, 0], [1, 0]], depth: 1 } as Rule
    expect(partNames(fence)).toEqual(['outer'])
    expect(unfinished(fence)).toBeNull()
    expect(unfinished({ ...fence, depth: 0 } as Rule)?.name).toBe('inner')
  })
})

describe('hours', () => {
  it('over midnight are shown as two and kept as one', () => {
    const night = [{ days: [4], start: 1320, end: 360 }]
    expect(unfolded(night)).toEqual([
      { days: [4], start: 1320, end: 1440 },
      { days: [5], start: 0, end: 360 },
    ])
    expect(folded(unfolded(night))).toEqual(night)
  })

  it('of the day, of whole days and of every night stay what they are', () => {
    for (const windows of [
      [{ days: [0, 1], start: 480, end: 1020 }],
      [{ days: [0, 1, 2, 3, 4, 5, 6], start: 0, end: 1440 }],
      [{ days: [0, 1, 2, 3, 4, 5, 6], start: 1080, end: 360 }],
      [{ days: [6], start: 1320, end: 60 }],
    ]) {
      expect(folded(unfolded(windows))).toEqual(windows)
    }
  })
})
