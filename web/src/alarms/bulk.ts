import { computed, type Ref, ref, shallowRef } from 'vue'

import { alarms as api } from '@/api/endpoints'
import type { Alarm, BulkStep } from '@/api/types'
import { useTexts } from '@/i18n/text'
import { useAlarms } from '@/stores/alarms'

/** As many as the server takes at once. */
export const MOST_PICKED = 500

/** Alarms that are chosen for one step, and what those said that refused it. `seen`: as they stand now, by id. */
export function useBulk(seen: Readonly<Ref<ReadonlyMap<string, Alarm>>>) {
  const store = useAlarms()
  const { problem, sentence } = useTexts()
  const ids = shallowRef<ReadonlySet<string>>(new Set())
  const refused = shallowRef<Record<string, string>>({})
  const done = ref<number | null>(null)
  const note = ref('')
  const busy = ref(false)

  const picked = computed(() => [...ids.value].flatMap((id) => seen.value.get(id) ?? []))

  function pick(alarms: readonly Alarm[], on: boolean): void {
    const next = new Set(ids.value)
    for (const { id } of alarms) {
      if (on && next.size < MOST_PICKED) next.add(id)
      else if (!on) next.delete(id)
    }
    ids.value = next
    done.value = null
  }

  function clear(): void {
    ids.value = new Set()
    refused.value = {}
    done.value = null
    note.value = ''
  }

  /** Those that refused stay chosen, with the reason beside them. */
  async function take(step: BulkStep): Promise<void> {
    busy.value = true
    note.value = ''
    refused.value = {}
    try {
      const { items, done: count } = await api.bulk(step, picked.value)
      for (const { alarm } of items) if (alarm) store.take(alarm, false)
      const left = items.filter((one) => !one.done)
      refused.value = Object.fromEntries(left.map((one) => [one.id, sentence(one.code, one.detail)]))
      ids.value = new Set(left.map((one) => one.id))
      done.value = count
      // Whoever was faster has changed these: as they stand now.
      for (const one of left.filter(({ code }) => code === 'stale')) store.take(await api.one(one.id), false)
    } catch (error) {
      note.value = problem(error)
    } finally {
      busy.value = false
    }
  }

  return { ids, picked, refused, done, note, busy, pick, clear, take }
}
