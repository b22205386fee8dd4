// What OHIF's own client says to the archive, asked and printed as JSON: `node speak.js ROOT TOKEN STUDY PART10`.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import XMLHttpRequest from 'xhr2';
import dicomweb from 'dicomweb-client';

globalThis.XMLHttpRequest = XMLHttpRequest;
const [root, token, studyInstanceUID, part10] = process.argv.slice(2);
const client = new dicomweb.api.DICOMwebClient({
  url: root,
  headers: { Authorization: `Bearer ${token}` },
  verbose: false,
});
const digest = bytes => createHash('sha256').update(Buffer.from(bytes)).digest('hex');
const first = (item, tag) => item[tag]?.Value?.[0];

const file = readFileSync(part10);
const sent = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
const stored = await client.storeInstances({ datasets: [sent] });

// OHIF's list, its panel of priors, and the opening of a study (viewer-side names of the parameters are OHIF's)
const list = await client.searchForStudies({
  queryParams: {
    limit: 101,
    offset: 0,
    fuzzymatching: false,
    includefield: '00081030,00080060,00080090,00100030',
    StudyInstanceUID: `${studyInstanceUID}\\1.2.3`,
  },
});
const wild = await client.searchForStudies({ queryParams: { PatientName: `*${first(list[0], '00100010').Alphabetic.slice(1, 5)}*` } });
const priors = await client.searchForStudies({ queryParams: { '00100020': first(list[0], '00100020') } });
const series = await client.searchForSeries({ studyInstanceUID, queryParams: { includefield: '0008103E,00080021' } });
const seriesInstanceUID = first(series[0], '0020000E');
const metadata = await client.retrieveSeriesMetadata({ studyInstanceUID, seriesInstanceUID });
const sopInstanceUID = first(metadata[0], '00080018');
const one = { studyInstanceUID, seriesInstanceUID, sopInstanceUID };
const instances = await client.searchForInstances({ studyInstanceUID, seriesInstanceUID, queryParams: { limit: 1 } });
const frames = await client.retrieveInstanceFrames({ ...one, frameNumbers: [1] });
const bulk = metadata[0]['7FE00010']?.BulkDataURI;

console.log(
  JSON.stringify({
    stored: typeof stored === 'string' ? JSON.parse(stored) : stored,
    list: list.map(item => first(item, '0020000D')),
    tags: Object.keys(list[0]),
    wild: wild.map(item => first(item, '0020000D')),
    priors: priors.map(item => first(item, '0020000D')),
    series: series.length,
    seriesTags: Object.keys(series[0]),
    instances: instances.length,
    studyMetadata: (await client.retrieveStudyMetadata({ studyInstanceUID })).length,
    instanceMetadata: (await client.retrieveInstanceMetadata(one)).length,
    metadata: metadata.length,
    sopInstanceUID,
    frame: digest(frames[0]),
    rendered: Buffer.from((await client.retrieveInstanceRendered({ ...one, queryParams: { viewport: '64,64' } }))[0]).subarray(6, 10).toString(),
    thumbnail: (await client.retrieveInstanceThumbnail(one))[0].byteLength,
    instance: Buffer.from(await client.retrieveInstance(one)).subarray(128, 132).toString(),
    study: (await client.retrieveStudy({ studyInstanceUID })).length,
    wholeSeries: (await client.retrieveSeries({ studyInstanceUID, seriesInstanceUID })).length,
    bulk: bulk ? digest((await client.retrieveBulkData({ BulkDataURI: bulk }))[0]) : '',
  })
);
