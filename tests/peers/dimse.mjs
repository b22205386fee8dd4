// Verifies and searches with dcmjs-dimse: node dimse.mjs PORT KEYS, keys as JSON; prints the matches as JSON.
import dcmjsDimse from "dcmjs-dimse";

const { Client } = dcmjsDimse;
const { CEchoRequest, CFindRequest } = dcmjsDimse.requests;
const { Status } = dcmjsDimse.constants;
dcmjsDimse.log.level = "error";

const [port, keys] = process.argv.slice(2);
const found = { echo: null, statuses: [], studies: [] };
const echo = new CEchoRequest();
echo.on("response", (response) => (found.echo = response.getStatus()));
const find = CFindRequest.createStudyFindRequest(JSON.parse(keys));
find.on("response", (response) => {
  found.statuses.push(response.getStatus());
  if (response.getStatus() === Status.Pending && response.hasDataset()) {
    found.studies.push(response.getDataset().getElements());
  }
});
const client = new Client();
client.addRequest(echo);
client.addRequest(find);
client.on("networkError", (error) => {
  console.error(error);
  process.exit(1);
});
client.on("closed", () => console.log(JSON.stringify(found)));
client.send("127.0.0.1", Number(port), "DCMJS", "PACS");
