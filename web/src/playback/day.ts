import { onBeforeUnmount, ref, shallowRef, watch, type Ref } from 'vue'

import { alarms as alarmApi, ledger as ledgerApi, sprites as spriteApi } from '@/api/endpoints'
import { Problem } from '@/api/http'
import type { Alarm, Hold, SpriteSheet } from '@/api/types'
import { type Stretch, stretches } from '@/draw/ledger'
import type { Range } from '@/draw/timeline'

export interface CameraDay {
  camera: string
  stretches: Stretch[]
  holds: Hold[]
  alarms: Alarm[]
  sheets: SpriteSheet[]
  completeness: number | null
}

const REFRESH_MS = 10_000
const ALARMS = 200

/** What is known of some cameras' day: ledger, holds, alarms; small pictures once somebody points at them. */
export function useDay(cameras: Ref<string[]>, day: Ref<Range>) {
  const days = shallowRef<CameraDay[]>([])
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  const pictured = new Map<string, number>()
  let aborter = new AbortController()

  async function one(camera: string, signal: AbortSignal): Promise<CameraDay> {
    const from = new Date(day.value.from).toISOString()
    const to = new Date(day.value.to).toISOString()
    const [book, page] = await Promise.all([
      ledgerApi.of(camera, from, to, signal),
      alarmApi.page({ camera, from, to }, ALARMS, undefined, signal),
    ])
    const known = days.value.find((other) => other.camera === camera)
    return {
      camera,
      stretches: stretches(book.spans),
      holds: book.holds,
      alarms: page.items,
      sheets: known?.sheets ?? [],
      completeness: book.completeness,
    }
  }

  async function read(quiet: boolean): Promise<void> {
    aborter.abort()
    aborter = new AbortController()
    const { signal } = aborter
    const wanted = [...cameras.value]
    if (day.value.from > Date.now() || !wanted.length) {
      days.value = []
      busy.value = false
      return
    }
    busy.value = !quiet
    try {
      const found = await Promise.all(wanted.map((camera) => one(camera, signal)))
      if (signal.aborted) return
      days.value = found
      error.value = null
    } catch (problem) {
      if (signal.aborted) return
      error.value = problem
    }
    busy.value = false
  }

  /** Small pictures around a moment: sheets of ten minutes, asked for by the hour and once only. */
  async function picture(camera: string, time: number): Promise<void> {
    const from = Math.floor(time / 3_600_000) * 3_600_000
    const key = `${camera} ${from}`
    const again = from + 3_600_000 > Date.now() ? 60_000 : 1_800_000
    if (Date.now() - (pictured.get(key) ?? 0) < again) return
    pictured.set(key, Date.now())
    try {
      const to = Math.min(Date.now(), from + 3_600_000)
      const { items } = await spriteApi(camera, new Date(from).toISOString(), new Date(to).toISOString())
      days.value = days.value.map((one) => {
        if (one.camera !== camera) return one
        const others = one.sheets.filter((sheet) => Date.parse(sheet.start) < from || Date.parse(sheet.start) >= to)
        return { ...one, sheets: [...others, ...items] }
      })
    } catch (problem) {
      // No picture is no fault of the timeline: its words are there.
      if (!(problem instanceof Problem)) console.warn('sprites', problem)
    }
  }

  const timer = window.setInterval(() => {
    const now = Date.now()
    if (!document.hidden && now >= day.value.from && now < day.value.to) void read(true)
  }, REFRESH_MS)
  onBeforeUnmount(() => {
    window.clearInterval(timer)
    aborter.abort()
  })
  watch(
    [cameras, day],
    () => {
      days.value = days.value.filter((one) => cameras.value.includes(one.camera) && one.stretches[0]?.from === day.value.from)
      void read(false)
    },
    { immediate: true },
  )

  return { days, busy, error, read, picture }
}
