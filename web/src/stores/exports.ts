import { defineStore } from 'pinia'
import { ref } from 'vue'

import { exports as api } from '@/api/endpoints'
import type { ExportJob } from '@/api/types'

const POLL_MS = 700

/** Exports that were asked for; read again while one of them is at work. */
export const useExports = defineStore('exports', () => {
  const items = ref<ExportJob[]>([])
  let timer = 0

  async function load(): Promise<void> {
    window.clearTimeout(timer)
    try {
      items.value = (await api.list()).items
    } catch (error) {
      console.warn('exports', error)
    }
    const busy = items.value.some((job) => job.state === 'queued' || job.state === 'running')
    if (busy) timer = window.setTimeout(() => void load(), POLL_MS)
  }

  async function start(camera: string, from: Date, to: Date): Promise<void> {
    await api.start(camera, from.toISOString(), to.toISOString())
    await load()
  }

  async function remove(job: string): Promise<void> {
    await api.remove(job)
    await load()
  }

  return { items, load, start, remove }
})
