import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { cameras as cameraApi, rules as ruleApi, schedules as scheduleApi } from '@/api/endpoints'
import type { Camera, CameraIn, NamedSchedule, Rule, Stream } from '@/api/types'

export const useSite = defineStore('site', () => {
  const cameras = ref<Camera[]>([])
  const rules = ref<Rule[]>([])
  const schedules = ref<NamedSchedule[]>([])
  const loaded = ref(false)
  const error = ref<unknown>(null)
  let running: Promise<void> | null = null
  let again = false

  const byId = computed(() => new Map(cameras.value.map((camera) => [camera.id, camera])))

  async function fetchAll(): Promise<void> {
    try {
      const [cameraList, ruleList, named] = await Promise.all([cameraApi.list(), ruleApi.list(), scheduleApi.list()])
      cameras.value = cameraList.items
      rules.value = ruleList.items
      schedules.value = named.items
      loaded.value = true
      error.value = null
    } catch (problem) {
      error.value = problem
    }
  }

  /** Reads cameras, rules and schedules; a call during a read makes it read once more. */
  async function load(): Promise<void> {
    if (running) {
      again = true
      return running
    }
    running = (async () => {
      do {
        again = false
        await fetchAll()
      } while (again)
    })()
    try {
      await running
    } finally {
      running = null
    }
  }

  function camera(id: string): Camera | undefined {
    return byId.value.get(id)
  }

  function rulesOf(id: string): Rule[] {
    return rules.value.filter((rule) => rule.camera === id)
  }

  function takeStream(stream: Stream): void {
    const owner = byId.value.get(stream.camera)
    if (owner) owner.stream = stream
  }

  async function saveCamera(id: string | null, body: CameraIn): Promise<Camera> {
    const saved = id === null ? await cameraApi.create(body) : await cameraApi.replace(id, body)
    const index = cameras.value.findIndex((other) => other.id === saved.id)
    if (index < 0) cameras.value.push(saved)
    else cameras.value[index] = saved
    return saved
  }

  async function removeCamera(id: string): Promise<void> {
    await cameraApi.remove(id)
    cameras.value = cameras.value.filter((camera) => camera.id !== id)
    rules.value = rules.value.filter((rule) => rule.camera !== id)
  }

  async function saveRule(rule: Rule): Promise<Rule> {
    const { id, revision, ...fresh } = rule
    const saved = id ? await ruleApi.replace(rule) : await ruleApi.create(fresh as Partial<Rule>)
    void revision
    const index = rules.value.findIndex((other) => other.id === saved.id)
    if (index < 0) rules.value.push(saved)
    else rules.value[index] = saved
    return saved
  }

  async function armRule(id: string, how: 'arm' | 'arm?always=true' | 'disarm' | 'rearm'): Promise<Rule> {
    const saved = await ruleApi.arm(id, how)
    rules.value = rules.value.map((rule) => (rule.id === id ? saved : rule))
    return saved
  }

  async function removeRule(id: string): Promise<void> {
    await ruleApi.remove(id)
    rules.value = rules.value.filter((rule) => rule.id !== id)
  }

  /** Without an id it is a new one. */
  async function saveSchedule(schedule: NamedSchedule): Promise<void> {
    const { id, name, schedule: hours } = schedule
    const saved = id ? await scheduleApi.replace(schedule) : await scheduleApi.create(name, hours)
    const index = schedules.value.findIndex((other) => other.id === saved.id)
    if (index < 0) schedules.value.push(saved)
    else schedules.value[index] = saved
  }

  async function removeSchedule(id: string): Promise<void> {
    await scheduleApi.remove(id)
    schedules.value = schedules.value.filter((schedule) => schedule.id !== id)
  }

  function clear(): void {
    cameras.value = []
    rules.value = []
    schedules.value = []
    loaded.value = false
  }

  return {
    cameras,
    rules,
    schedules,
    loaded,
    error,
    load,
    camera,
    rulesOf,
    takeStream,
    saveCamera,
    removeCamera,
    saveRule,
    armRule,
    removeRule,
    saveSchedule,
    removeSchedule,
    clear,
  }
})
