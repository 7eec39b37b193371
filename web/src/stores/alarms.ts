import { defineStore } from 'pinia'
import { ref } from 'vue'

import { alarms as api } from '@/api/endpoints'
import type { Alarm } from '@/api/types'

const RECENT = 40
const FLASH_MS = 8000

type Listener = (alarm: Alarm, fresh: boolean) => void

/** What a page answered, with what was heard while it was on its way in the place of the same in it. */
export function withHeard(page: readonly Alarm[], heard: readonly Alarm[]): Alarm[] {
  return heard.length ? merged(page, heard) : [...page]
}

/** Newest first, without doubles. */
export function merged(list: readonly Alarm[], incoming: readonly Alarm[]): Alarm[] {
  const byId = new Map(list.map((alarm) => [alarm.id, alarm]))
  for (const alarm of incoming) byId.set(alarm.id, alarm)
  return [...byId.values()].sort((a, b) => b.raised.localeCompare(a.raised) || b.id.localeCompare(a.id))
}

export const useAlarms = defineStore('alarms', () => {
  const recent = ref<Alarm[]>([])
  const loaded = ref(false)
  /** Cameras that raised an alarm just now. */
  const flashing = ref<ReadonlySet<string>>(new Set())
  const unseen = ref(0)
  const timers = new Map<string, number>()
  const listeners = new Set<Listener>()

  async function load(): Promise<void> {
    const heard: Alarm[] = []
    const unlisten = listen((alarm) => heard.push(alarm))
    try {
      const page = await api.page({}, RECENT)
      const known = new Set(recent.value.map((alarm) => alarm.id))
      const newest = recent.value[0]?.raised ?? ''
      if (loaded.value) {
        // Nobody has shown these: they were raised while the server could not be heard.
        for (const alarm of page.items) if (!known.has(alarm.id) && alarm.raised > newest) notice(alarm)
      }
      const found = merged(recent.value, page.items)
      const ids = new Set(found.map((alarm) => alarm.id))
      recent.value = withHeard(found, heard.filter((alarm) => ids.has(alarm.id))).slice(0, RECENT)
      loaded.value = true
    } finally {
      unlisten()
    }
  }

  function notice(alarm: Alarm): void {
    flash(alarm.camera)
    unseen.value += 1
  }

  function flash(camera: string): void {
    window.clearTimeout(timers.get(camera))
    flashing.value = new Set([...flashing.value, camera])
    const end = (): void => {
      const left = new Set(flashing.value)
      left.delete(camera)
      flashing.value = left
    }
    timers.set(camera, window.setTimeout(end, FLASH_MS))
  }

  function take(alarm: Alarm, fresh: boolean): void {
    const known = recent.value.some((other) => other.id === alarm.id)
    if (fresh || known) recent.value = merged(recent.value, [alarm]).slice(0, RECENT)
    if (fresh && !known) notice(alarm)
    for (const listener of listeners) listener(alarm, fresh)
  }

  function listen(listener: Listener): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  function clear(): void {
    recent.value = []
    loaded.value = false
    unseen.value = 0
  }

  return { recent, loaded, flashing, unseen, load, take, listen, clear }
})
