import { onBeforeUnmount, ref, type Ref, shallowRef, watch } from 'vue'

import { type Way, type WayFilter, ways as api } from '@/api/seeing'
import type { Alarm } from '@/api/types'

const PAGE = 200
const EVERY_MS = 1000
/** The way of what set off an alarm was under way at its moment, give or take a picture. */
const ABOUT_MS = 1000

/** Finished ways by filter, page after page, newest first. */
export function useFound(filter: Readonly<Ref<WayFilter | null>>) {
  const found = shallowRef<Way[]>([])
  const next = ref<number | null>(null)
  const busy = ref(false)
  const error = ref<unknown>(null)
  let aborter = new AbortController()

  async function read(more: boolean): Promise<void> {
    aborter.abort()
    aborter = new AbortController()
    const { signal } = aborter
    if (!filter.value) {
      found.value = []
      next.value = null
      return
    }
    busy.value = true
    try {
      const page = await api.page(filter.value, PAGE, more ? (next.value ?? undefined) : undefined, signal)
      found.value = more ? [...found.value, ...page.items] : page.items
      next.value = page.next
      error.value = null
    } catch (problem) {
      if (signal.aborted) return
      error.value = problem
    } finally {
      if (!signal.aborted) busy.value = false
    }
  }

  watch(filter, () => void read(false), { immediate: true })
  onBeforeUnmount(() => aborter.abort())
  return { found, next, busy, error, more: () => read(true), again: () => read(false) }
}

/** Who moves at a camera now, asked every second while somebody looks. */
export function useMoving(camera: Readonly<Ref<string>>) {
  const moving = shallowRef<Way[]>([])
  let aborter = new AbortController()
  let timer = 0

  async function look(): Promise<void> {
    const { signal } = aborter
    try {
      if (!document.hidden) moving.value = (await api.live(camera.value, signal)).items
    } catch {
      if (signal.aborted) return
      // A server that does not answer now does a second later; what is shown would be old by then.
      moving.value = []
    }
    if (!signal.aborted) timer = window.setTimeout(() => void look(), EVERY_MS)
  }

  function stop(): void {
    aborter.abort()
    window.clearTimeout(timer)
    moving.value = []
  }

  watch(
    camera,
    (name) => {
      stop()
      aborter = new AbortController()
      if (name) void look()
    },
    { immediate: true },
  )
  onBeforeUnmount(stop)
  return { moving }
}

/** The whole way of what an alarm is about, once it is finished; null until it is found. */
export function useWayOf(alarm: () => Alarm, allowed: () => boolean) {
  const way = shallowRef<Way | null>(null)
  let aborter = new AbortController()

  async function read(): Promise<void> {
    aborter.abort()
    aborter = new AbortController()
    const { signal } = aborter
    way.value = null
    const { camera, wall, epoch, track, kind } = alarm()
    if (!allowed() || kind === 'health') return
    const at = Date.parse(wall)
    const [from, to] = [at - ABOUT_MS, at + ABOUT_MS].map((time) => new Date(time).toISOString()) as [string, string]
    try {
      const page = await api.page({ camera, from, to }, PAGE, undefined, signal)
      way.value = page.items.find((one) => one.epoch === epoch && one.track === track) ?? null
    } catch (error) {
      if (!signal.aborted) console.warn('way', error)
    }
  }

  watch(() => alarm().id, read, { immediate: true })
  onBeforeUnmount(() => aborter.abort())
  return way
}
