import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { cameras as cameraApi, rules as ruleApi } from '@/api/endpoints'
import type { Camera, CameraIn, Rule, Stream } from '@/api/types'

export const useSite = defineStore('site', () => {
  const cameras = ref<Camera[]>([])
  const rules = ref<Rule[]>([])
  const loaded = ref(false)
  const error = ref<unknown>(null)
  let running: Promise<void> | null = null
  let again = false

  const byId = computed(() => new Map(cameras.value.map((camera) => [camera.id, camera])))

  async function fetchAll(): Promise<void> {
    try {
      const [cameraList, ruleList] = await Promise.all([cameraApi.list(), ruleApi.list()])
      cameras.value = cameraList.items
      rules.value = ruleList.items
      loaded.value = true
      error.value = null
    } catch (problem) {
      error.value = problem
    }
  }

  /** Reads cameras and rules; a call during a read makes it read once more. */
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

  async function removeRule(id: string): Promise<void> {
    await ruleApi.remove(id)
    rules.value = rules.value.filter((rule) => rule.id !== id)
  }

  function clear(): void {
    cameras.value = []
    rules.value = []
    loaded.value = false
  }

  return {
    cameras,
    rules,
    loaded,
    error,
    load,
    camera,
    rulesOf,
    takeStream,
    saveCamera,
    removeCamera,
    saveRule,
    removeRule,
    clear,
  }
})
