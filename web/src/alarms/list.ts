import { computed, onBeforeUnmount, type Ref, ref, shallowRef, watch } from 'vue'

import { alarms as api } from '@/api/endpoints'
import type { Alarm, AlarmFilter, AlarmRow } from '@/api/types'
import { matches, withAlarm, withOlder } from '@/alarms/rows'
import { useTexts } from '@/i18n/text'
import { useAlarms } from '@/stores/alarms'
import { useLink } from '@/stores/link'
import { useSession } from '@/stores/session'

const PAGE = 50
/** So many alarms of one intrusion are unfolded. */
const MEMBERS = 200

/** The list of alarms that a filter finds, kept current by what is pushed. */
export function useAlarmList(filter: Ref<AlarmFilter>, grouped: Ref<boolean>) {
  const store = useAlarms()
  const link = useLink()
  const session = useSession()
  const { problem } = useTexts()
  const rows = shallowRef<AlarmRow[]>([])
  const total = ref(0)
  const exact = ref(true)
  const next = ref<string | null>(null)
  const busy = ref(false)
  const loaded = ref(false)
  const note = ref('')
  /** Alarms of unfolded intrusions, by the intrusion. */
  const members = shallowRef<Record<string, Alarm[]>>({})
  let aborter = new AbortController()

  const shows = (alarm: Alarm): boolean => matches(alarm, filter.value, String(session.user?.id ?? ''))
  /** All that is in sight: rows, and what is unfolded below them. */
  const seen = computed(() => {
    const found = new Map<string, Alarm>()
    for (const row of rows.value) {
      found.set(row.id, row)
      for (const member of members.value[row.group] ?? []) if (!found.has(member.id)) found.set(member.id, member)
    }
    return found
  })

  async function read(older: boolean): Promise<void> {
    aborter.abort()
    aborter = new AbortController()
    busy.value = true
    const heard: [Alarm, boolean][] = []
    const unhear = store.listen((alarm, fresh) => heard.push([alarm, fresh && shows(alarm)]))
    try {
      const before = older ? (next.value ?? undefined) : undefined
      const page = await api.page(filter.value, PAGE, before, aborter.signal, grouped.value)
      let found = older ? withOlder(rows.value, page.items) : page.items
      if (!older) members.value = {}
      // What the page knows already is only replaced.
      const known = new Set(found.map((row) => row.id))
      for (const [alarm, fresh] of heard) found = withAlarm(found, alarm, fresh && !known.has(alarm.id), grouped.value)
      rows.value = found
      total.value = page.total
      exact.value = page.total_exact
      next.value = page.next
      note.value = ''
      loaded.value = true
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return
      note.value = problem(error)
    } finally {
      unhear()
    }
    busy.value = false
  }

  /** All alarms of an intrusion, the newest first. */
  async function unfold(group: string): Promise<Alarm[]> {
    const known = members.value[group]
    if (known) return known
    const page = await api.page({ group }, MEMBERS)
    members.value = { ...members.value, [group]: page.items }
    return page.items
  }

  function fold(group: string): void {
    const { [group]: folded, ...others } = members.value
    void folded
    members.value = others
  }

  const unlisten = store.listen((alarm, fresh) => {
    const shown = fresh && shows(alarm)
    const fits = grouped.value ? rows.value.some((row) => row.group === alarm.group) : false
    if (shown && !fits && !rows.value.some((row) => row.id === alarm.id)) total.value += 1
    rows.value = withAlarm(rows.value, alarm, shown, grouped.value)
    const unfolded = members.value[alarm.group]
    if (!unfolded) return
    const others = unfolded.filter((one) => one.id !== alarm.id)
    if (others.length === unfolded.length && !fresh) return
    const at = unfolded.findIndex((one) => one.id === alarm.id)
    members.value = { ...members.value, [alarm.group]: [...others.slice(0, Math.max(0, at)), alarm, ...others.slice(Math.max(0, at))] }
  })
  onBeforeUnmount(() => {
    unlisten()
    aborter.abort()
  })
  watch([filter, grouped, () => link.resets], () => void read(false), { immediate: true, deep: true })

  return { rows, total, exact, next, busy, loaded, note, members, seen, read, unfold, fold }
}
