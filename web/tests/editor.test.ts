import { describe, expect, it } from 'vitest'
import { ref, shallowRef } from 'vue'

import type { Fence, Rule, Tripwire, Zone } from '@/api/types'
import { useEditor } from '@/draw/editor'
import { newRule } from '@/draw/rule'

const RECT = { x: 0, y: 0, width: 1000, height: 500 }

function setUp(rule: Rule) {
  const draft = shallowRef<Rule | null>(rule)
  const editor = useEditor(draft, ref(RECT))
  editor.begin(rule)
  const click = (x: number, y: number): void => {
    editor.press([x, y], false)
    editor.release([x, y], false)
  }
  const drag = (from: [number, number], to: [number, number]): void => {
    editor.press(from, false)
    editor.move([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2])
    editor.move(to)
    editor.release(to, false)
  }
  const key = (name: string, shiftKey = false): boolean => editor.key({ key: name, shiftKey } as KeyboardEvent)
  return { draft, editor, click, drag, key }
}

const wire = (): Rule => ({ ...newRule('tripwire', 'gate', 'Line'), id: 'r1', line: [[0.1, 0.2], [0.9, 0.2]] }) as Rule
const line = (rule: Rule | null) => (rule as Tripwire).line

describe('drawing', () => {
  it('a tripwire takes clicks until Enter', () => {
    const { draft, editor, click, key } = setUp(newRule('tripwire', 'gate', 'Line'))
    expect(editor.drawing.value).toBe('line')
    click(100, 100)
    expect(key('Enter')).toBe(true)
    expect(editor.drawing.value).toBe('line')
    click(500, 250)
    key('Enter')
    expect(editor.drawing.value).toBeNull()
    expect(line(draft.value)).toEqual([[0.1, 0.2], [0.5, 0.5]])
  })

  it('the second click of a double click adds no second point', () => {
    const { draft, click } = setUp(newRule('tripwire', 'gate', 'Line'))
    click(100, 100)
    click(500, 250)
    click(502, 251)
    expect(line(draft.value)).toHaveLength(2)
  })

  it('a zone closes with a click on its first corner', () => {
    const { draft, editor, click } = setUp(newRule('zone', 'gate', 'Yard'))
    for (const [x, y] of [[100, 100], [500, 100], [500, 400], [104, 103]] as const) click(x, y)
    expect(editor.drawing.value).toBeNull()
    expect((draft.value as Zone).polygon).toHaveLength(3)
  })

  it('a fence asks for its outer line, then for its inner one', () => {
    const { draft, editor, click } = setUp(newRule('fence', 'gate', 'Fence'))
    click(100, 100)
    click(900, 100)
    editor.finish()
    expect(editor.drawing.value).toBe('inner')
    click(100, 200)
    click(900, 200)
    editor.finish()
    expect(editor.drawing.value).toBeNull()
    const fence = draft.value as Fence
    expect([fence.outer.length, fence.inner.length]).toEqual([2, 2])
  })

  it('backspace takes the last point back', () => {
    const { draft, click, key } = setUp(newRule('tripwire', 'gate', 'Line'))
    click(100, 100)
    click(500, 100)
    key('Backspace')
    expect(line(draft.value)).toHaveLength(1)
  })

  it('drawing again can be given up', () => {
    const { draft, editor, click } = setUp(wire())
    editor.redraw()
    click(5, 5)
    expect(editor.cancel()).toBe(true)
    expect(draft.value).toEqual(wire())
    expect(editor.drawing.value).toBeNull()
  })
})

describe('editing', () => {
  it('drags a point, and never out of the picture', () => {
    const { draft, drag } = setUp(wire())
    drag([100, 100], [-80, 250])
    expect(line(draft.value)[0]).toEqual([0, 0.5])
  })

  it('a press without a drag changes nothing', () => {
    const { draft, editor, click } = setUp(wire())
    click(101, 101)
    expect(draft.value).toEqual(wire())
    expect(editor.selected.value).toEqual({ part: 'line', index: 0 })
  })

  it('pulls a new point out of the middle', () => {
    const { draft, drag } = setUp(wire())
    drag([500, 100], [500, 300])
    expect(line(draft.value)).toEqual([[0.1, 0.2], [0.5, 0.6], [0.9, 0.2]])
  })

  it('moves the whole shape without bending it at the edge', () => {
    const { draft, drag } = setUp(wire())
    drag([300, 100], [900, 150])
    expect(line(draft.value)).toEqual([[0.2, 0.3], [1, 0.3]])
  })

  it('removes a chosen point, but not below the least', () => {
    const { draft, key, drag, click } = setUp(wire())
    drag([500, 100], [500, 300])
    key('Delete')
    expect(line(draft.value)).toHaveLength(2)
    click(100, 100)
    key('Delete')
    expect(line(draft.value)).toHaveLength(2)
  })

  it('moves the chosen point with arrow keys', () => {
    const { draft, key, click } = setUp(wire())
    expect(key('ArrowDown')).toBe(false)
    click(100, 100)
    key('ArrowRight')
    key('ArrowDown', true)
    expect(line(draft.value)[0]).toEqual([0.101, 0.22])
  })

  it('leaves presses beside it to others', () => {
    const { editor } = setUp(wire())
    expect(editor.press([500, 450], false)).toBe(false)
  })

  it('a finger reaches farther than a mouse', () => {
    const { editor } = setUp(wire())
    expect(editor.press([100, 118], false)).toBe(false)
    expect(editor.press([100, 118], true)).toBe(true)
  })
})
