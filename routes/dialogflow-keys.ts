import { id, strict, text } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { done } from '../src/api/replies.ts'

const tag = 'Dialogflow keys'

export default {
  updateDialogflowKey: endpoint({
    http: 'PATCH /dialogflow-keys/:dialogflowKeyId',
    rpc: 'SetDialogflowKey',
    summary: 'Change the note on a Dialogflow key',
    tag,
    input: strict({
      dialogflowKeyId: id('The Dialogflow key.'),
      description: text('The note on the key. Empty text, or only spaces, removes it.', { examples: ['Booking agent'] })
    }),
    reply: done
  })
}
