import { computed, ref, type Ref } from 'vue'

import type { Point, Rule } from '@/api/types'
import { undrawn } from '@/draw/rule'
import { distance, middle, place, unplace, type Rect } from '@/draw/geometry'
import {
  gripAt,
  insertPoint,
  movePoint,
  partOf,
  type PartName,
  removePoint,
  shift,
  tidy,
  unfinished,
  withPart,
} from '@/draw/shape'

/** Pixels within which a finger or a mouse means a point. */
const FINGER = 22
const MOUSE = 11
/** Two clicks nearer than this are one point. */
const SAME = 6
/** A press that wanders less is a click. */
const WANDER = 4

export interface Selected {
  part: PartName
  index: number
}

interface Drag {
  from: Point
  start: Rule
  part: PartName
  /** -1 moves the whole part. */
  index: number
  moved: boolean
}

/** How a rule is drawn and changed on the picture. Pointer positions are pixels of the picture's box. */
export function useEditor(draft: Ref<Rule | null>, rect: Ref<Rect>) {
  /** The part being drawn point by point. */
  const drawing = ref<PartName | null>(null)
  const selected = ref<Selected | null>(null)
  const cursor = ref<Point | null>(null)
  let drag: Drag | null = null
  let pressed: Point | null = null
  let before: Rule | null = null

  const canFinish = computed(() => {
    if (!draft.value || !drawing.value) return false
    const part = partOf(draft.value, drawing.value)
    return part.points.length >= part.least
  })

  /** Begins with a rule: drawing what it lacks, or editing what it has. */
  function begin(rule: Rule | null): void {
    drag = null
    before = null
    selected.value = null
    cursor.value = null
    drawing.value = rule ? (unfinished(rule)?.name ?? null) : null
  }

  function redraw(): void {
    const rule = draft.value
    if (!rule) return
    before = rule
    const empty = undrawn(rule)
    draft.value = empty
    selected.value = null
    drawing.value = unfinished(empty)?.name ?? null
  }

  function points(): Point[] {
    return draft.value && drawing.value ? partOf(draft.value, drawing.value).points : []
  }

  function setPoints(part: PartName, next: Point[]): void {
    if (draft.value) draft.value = withPart(draft.value, part, next)
  }

  function finish(): void {
    if (!draft.value || !canFinish.value) return
    cursor.value = null
    const lacking = unfinished(draft.value)
    drawing.value = lacking?.name ?? null
    if (!lacking) before = null
  }

  function undo(): void {
    if (drawing.value) setPoints(drawing.value, points().slice(0, -1))
  }

  /** Gives up drawing. Returns false when there is nothing to go back to. */
  function cancel(): boolean {
    cursor.value = null
    if (drag) {
      draft.value = drag.start
      drag = null
      return true
    }
    if (drawing.value && before) {
      draft.value = before
      before = null
      drawing.value = null
      return true
    }
    if (!drawing.value && selected.value) {
      selected.value = null
      return true
    }
    return false
  }

  function addPoint(at: Point): void {
    const part = drawing.value
    if (!part || !draft.value) return
    const list = points()
    const [first, last] = [list[0], list.at(-1)]
    if (part === 'polygon' && list.length >= 3 && first && distance(place(first, rect.value), at) <= MOUSE) {
      finish()
      return
    }
    if (last && distance(place(last, rect.value), at) < SAME) return
    const { most } = partOf(draft.value, part)
    if (list.length < most) setPoints(part, [...list, tidy(unplace(at, rect.value))])
    if (part === 'way' && list.length + 1 === most) finish()
  }

  /** Returns whether the press was meant for this rule. */
  function press(at: Point, touch: boolean): boolean {
    pressed = at
    if (!draft.value) return false
    if (drawing.value) {
      cursor.value = at
      return true
    }
    const grip = gripAt(draft.value, at, rect.value, touch ? FINGER : MOUSE)
    if (!grip) {
      selected.value = null
      return false
    }
    let start = draft.value
    if (grip.kind === 'middle') {
      const part = partOf(start, grip.part)
      if (part.points.length >= part.most) return true
      const next = part.points[(grip.index + 1) % part.points.length]!
      start = withPart(start, grip.part, insertPoint(part.points, grip.index, middle(part.points[grip.index]!, next)))
      draft.value = start
      selected.value = { part: grip.part, index: grip.index + 1 }
      drag = { from: at, start, part: grip.part, index: grip.index + 1, moved: false }
    } else {
      const index = grip.kind === 'point' ? grip.index : -1
      selected.value = grip.kind === 'point' ? { part: grip.part, index } : null
      drag = { from: at, start, part: grip.part, index, moved: false }
    }
    return true
  }

  function move(at: Point): void {
    if (drawing.value) cursor.value = at
    if (!drag) return
    if (!drag.moved && distance(drag.from, at) < WANDER) return
    drag.moved = true
    const list = partOf(drag.start, drag.part).points
    if (drag.index >= 0) {
      setPoints(drag.part, movePoint(list, drag.index, unplace(at, rect.value)))
      return
    }
    const dx = (at[0] - drag.from[0]) / rect.value.width
    const dy = (at[1] - drag.from[1]) / rect.value.height
    setPoints(drag.part, shift(list, dx, dy))
  }

  function release(at: Point, touch: boolean): void {
    if (drawing.value && pressed && distance(pressed, at) < (touch ? FINGER : WANDER * 3)) addPoint(at)
    if (touch) cursor.value = null
    drag = null
    pressed = null
  }

  function removeSelected(): void {
    const choice = selected.value
    if (!choice || !draft.value) return
    const part = partOf(draft.value, choice.part)
    if (part.points.length <= part.least) return
    setPoints(choice.part, removePoint(part.points, choice.index))
    selected.value = null
  }

  function nudge(dx: number, dy: number): void {
    const choice = selected.value
    if (!choice || !draft.value) return
    const list = partOf(draft.value, choice.part).points
    const point = list[choice.index]
    if (!point) return
    const [x, y] = place(point, rect.value)
    setPoints(choice.part, movePoint(list, choice.index, unplace([x + dx, y + dy], rect.value)))
  }

  /** Returns whether the key meant something here. */
  function key(event: KeyboardEvent): boolean {
    const step = event.shiftKey ? 10 : 1
    const steps: Record<string, Point> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    }
    const by = steps[event.key]
    if (by && selected.value) nudge(by[0], by[1])
    else if (event.key === 'Enter' && drawing.value) finish()
    else if ((event.key === 'Delete' || event.key === 'Backspace') && drawing.value) undo()
    else if ((event.key === 'Delete' || event.key === 'Backspace') && selected.value) removeSelected()
    else return false
    return true
  }

  return {
    drawing,
    selected,
    cursor,
    canFinish,
    begin,
    redraw,
    finish,
    undo,
    cancel,
    press,
    move,
    release,
    removeSelected,
    key,
  }
}

export type Editor = ReturnType<typeof useEditor>
