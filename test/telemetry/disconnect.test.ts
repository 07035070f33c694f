import t from 'tap'
import { Disconnect } from '../../src/telemetry/disconnect.ts'

t.test('a disconnect calls its listeners once, functions and objects', async t => {
  const disconnect = new Disconnect()
  const calls: string[] = []
  disconnect.addEventListener('abort', () => calls.push('function'))
  disconnect.addEventListener('abort', { handleEvent: () => calls.push('object') })
  t.equal(disconnect.aborted, false)
  disconnect.abort()
  disconnect.abort()
  t.equal(disconnect.aborted, true)
  t.same(calls, ['function', 'object'])
})

t.test('a listener that was removed is not called', async t => {
  const disconnect = new Disconnect()
  const calls: string[] = []
  const removed = () => calls.push('removed')
  disconnect.removeEventListener('abort', removed)
  disconnect.addEventListener('abort', removed)
  disconnect.addEventListener('abort', () => calls.push('kept'))
  disconnect.removeEventListener('abort', removed)
  disconnect.abort()
  t.same(calls, ['kept'])
})

t.test('a listener may remove another one while they are called', async t => {
  const disconnect = new Disconnect()
  const calls: string[] = []
  const second = () => calls.push('second')
  disconnect.addEventListener('abort', () => disconnect.removeEventListener('abort', second))
  disconnect.addEventListener('abort', second)
  disconnect.abort()
  t.same(calls, ['second'], 'the listeners are those of the moment of the disconnect')
})
