"""A small file of each format, written after its documentation."""

import json

EPIC = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    "start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    "P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:03.37,8,202,open door,open,3,door,3,"
    "['door'],[3]\n"
    "P01_01_1,P01,P01_01,00:00:02.629,00:00:04.37,00:00:06.17,262,370,turn on light,turn-on,6,"
    "light,114,['light'],[114]\n"
)
CHARADES = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    '46GP8,HR43,Kitchen,6,7,Yes,"A person cooks, and eats.",food,,'
    "c092 11.90 21.20;c147 0.00 12.60,24.83\n"
    "N11GT,HR43,Stairs,6,7,Yes,A person sits.,chair,,,18.33\n"
)
ACTIVITYNET = json.dumps(
    {
        "taxonomy": [{"nodeName": "Root"}],
        "version": "VERSION 1.3",
        "database": {
            "--1DO2V4K74": {
                "subset": "training",
                "duration": 211.53,
                "annotations": [
                    {"segment": [30.02, 211.5], "label": "Powerbocking"},
                    {"segment": [1.5, 20], "label": "Long jump"},
                ],
            },
            "abc": {
                "subset": "validation",
                "duration": 9.0,
                "annotations": [{"segment": ["0.5", "8.25"], "label": "Long jump"}],
            },
            "hidden": {"subset": "testing", "duration": 9.0, "annotations": []},
        },
    }
)
HACS_CLIPS = (
    "classname,youtube_id,subset,start,end,label\n"
    "Archery,a2X2hz1G6i8,training,15.5,17.5,1\n"
    "Archery,NUdji_CqvcY,training,77.5,79.5,-1\n"
    "Surfing,a2X2hz1G6i8,training,20.0,22.0,1\n"
    "Surfing,NUdji_CqvcY,validation,3.0,5.0,1\n"
)
ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-05-02T10:00:00+01:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/data/clip%20one.wav" MIME_TYPE="audio/x-wav"
      RELATIVE_MEDIA_URL="./clip%20one.wav"/>
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/data/clip%20one.mp4" MIME_TYPE="video/mp4"
      RELATIVE_MEDIA_URL="./clip one.mp4"/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="500"/>
    <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1750"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1750"/>
    <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
    <TIME_SLOT TIME_SLOT_ID="ts5"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="gesture">
    <ANNOTATION>
      <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
        <ANNOTATION_VALUE>wave &amp; point</ANNOTATION_VALUE>
      </ALIGNABLE_ANNOTATION>
    </ANNOTATION>
    <ANNOTATION>
      <ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
        <ANNOTATION_VALUE>nod</ANNOTATION_VALUE>
      </ALIGNABLE_ANNOTATION>
    </ANNOTATION>
    <ANNOTATION>
      <ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts4">
        <ANNOTATION_VALUE/>
      </ALIGNABLE_ANNOTATION>
    </ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="hand-lt" PARENT_REF="gesture" TIER_ID="hand">
    <ANNOTATION>
      <REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a2">
        <ANNOTATION_VALUE>left</ANNOTATION_VALUE>
      </REF_ANNOTATION>
    </ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="empty"/>
  <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt"
    TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""
BORIS_COLUMNS = (
    "Observation id,Observation date,Description,Observation type,Source,Time offset (s),"
    "Coding duration,Media duration (s),FPS (frame/s),Subject,"
    "Observation duration by subject by observation,Behavior,Behavioral category,Modifier #1,"
    "Behavior type,Start (s),Stop (s),Duration (s),Media file name,Image index start,"
    "Image index stop,Image file path start,Image file path stop,Comment start,Comment stop\n"
)
BORIS = BORIS_COLUMNS + (
    "day 1,2024-05-02 10:00:00,,Media file,player #1:videos/mice.mp4,0.0,30.2,60.1,25.0,Himal,"
    "30.2,Tear,feeding,Branches,STATE,0.0,30.199,30.199,videos/mice.mp4,0,754,,,,\n"
    "day 1,2024-05-02 10:00:00,,Media file,player #1:videos/mice.mp4,0.0,30.2,60.1,25.0,Himal,"
    "30.2,Locomotion,moving,Walk,STATE,30.2,32.4,2.2,videos/mice.mp4,755,810,,,,\n"
    "day 1,2024-05-02 10:00:00,,Media file,player #1:videos/mice.mp4,0.0,30.2,60.1,25.0,Himal,"
    "30.2,Call,vocal,,POINT,3.5,3.5,NA,videos/mice.mp4,87,87,,,,\n"
)
BORIS_TABULAR = (
    "Observation id\tObservation date\tDescription\tObservation duration\tObservation type\t"
    "Source\tTime offset (s)\tMedia duration (s)\tFPS (frame/s)\tSubject\tBehavior\t"
    "Behavioral category\tModifier #1\tBehavior type\tTime\tMedia file name\tImage index\t"
    "Image file path\tComment\n"
) + "".join(
    f"day 1\t2024-05-02\t\t60\tMedia file\tplayer #1:mice.mp4\t0.0\t60.1\t25.0\t{subject}\t"
    f"{behavior}\t\t\t{kind}\t{time}\tmice.mp4\t\t\t\n"
    for subject, behavior, kind, time in [
        ("Himal", "Tear", "START", "1.5"),
        ("Nina", "Tear", "START", "2.25"),
        ("Himal", "Call", "POINT", "2.5"),
        ("Himal", "Tear", "STOP", "4.75"),
        ("Nina", "Tear", "STOP", "9.5"),
    ]
)
BORIS_OLD = (
    "Observation id\tday 1\t\t\t\t\t\t\n\t\t\t\t\t\t\t\nMedia file(s)\t\t\t\t\t\t\t\n"
    "Player #1\tmice.mp4\t\t\t\t\t\t\nTime offset (s)\t0.0\t\t\t\t\t\t\n"
    "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tComment\tStatus\n"
    "1.5\tmice.mp4\t60\t25\tHimal\tTear\t\tSTART\n4.75\tmice.mp4\t60\t25\tHimal\tTear\t\tSTOP\n"
)
VIA = json.dumps(
    {
        "project": {"pid": "__VIA_PROJECT_ID__", "pname": "mine", "vid_list": ["1", "2"]},
        "config": {"file": {"loc_prefix": {"1": ""}}},
        "attribute": {
            "1": {
                "aname": "action",
                "anchor_id": "FILE1_Z2_XY0",
                "type": 4,
                "desc": "",
                "options": {"0": "run", "1": "jump"},
                "default_option_id": "0",
            },
            "2": {
                "aname": "note",
                "anchor_id": "FILE1_Z1_XY1",
                "type": 1,
                "desc": "",
                "options": {},
                "default_option_id": "",
            },
        },
        "file": {
            "1": {"fid": "1", "fname": "a.mp4", "type": 4, "loc": 1, "src": ""},
            "2": {"fid": "2", "fname": "b.mp4", "type": 4, "loc": 2, "src": "http://x.org/b.mp4"},
        },
        "metadata": {
            "1_x7G": {"vid": "1", "flg": 0, "z": [0.5, 3.25], "xy": [], "av": {"1": "0"}},
            "1_x8G": {"vid": "1", "flg": 0, "z": [3, 4.5], "xy": [], "av": {"1": "1"}},
            "2_x9G": {"vid": "2", "flg": 0, "z": [1.5, 2], "xy": [], "av": {"1": "0"}},
            "2_xAG": {"vid": "2", "flg": 0, "z": [7], "xy": [2, 1, 1, 9, 9], "av": {"2": "cat"}},
        },
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
    }
)
VIA_CSV = (
    "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n"
    "# Notes:\n"
    '# - metadata of {""1"":""3""} indicates attribute with id "1" set to option with id "3"\n'
    '# SHAPE_ID = {"POINT":1,"RECTANGLE":2}\n'
    '# ATTRIBUTE = {"1":{"aname":"action","anchor_id":"FILE1_Z2_XY0","type":4,"desc":"",'
    '"options":{"0":"run","1":"jump"},"default_option_id":""}}\n'
    "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
    '"1_x7G","[""a.mp4""]",0,"[0.5,3.25]","[]","{""1"":""0""}"\n'
    '"1_x8G","[""a.mp4""]",0,"[3,4.5]","[]","{""1"":""1""}"\n'
    '"1_x9G","[""a.mp4""]",0,"[9]","[2,1,1,9,9]","{""1"":""1""}"\n'
)


def label_studio_task(*results: dict[str, object], video: str = "/data/upload/1/a.mp4") -> str:
    """Return an export with one task."""
    annotation = {"id": 5, "was_cancelled": False, "result": list(results)}
    return json.dumps([{"id": 9, "annotations": [annotation], "data": {"video": video}}])


TIMELINE: dict[str, object] = {
    "id": "r1",
    "type": "timelinelabels",
    "from_name": "actions",
    "to_name": "video",
    "value": {"ranges": [{"start": 3, "end": 5}], "timelinelabels": ["Moving"]},
}
LABEL_STUDIO = label_studio_task(
    TIMELINE,
    TIMELINE | {"value": {"ranges": [{"start": 7, "end": 7}], "timelinelabels": ["Nothing"]}},
)
CVAT_META = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>mine</name><size>12</size><mode>interpolation</mode><overlap>5</overlap>
      <start_frame>0</start_frame><stop_frame>11</stop_frame><frame_filter></frame_filter>
      <labels><label><name>run</name><attributes></attributes></label></labels>
    </task>
    <dumped>2024-05-02 10:00:00</dumped>
    <source>a.mp4</source>
  </meta>
"""


def cvat_box(frame: int, *, outside: bool = False, **attributes: str) -> str:
    """Return the box of a track on a frame."""
    inside = "".join(
        f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items()
    )
    return (
        f'<box frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" xtl="1.00" '
        f'ytl="1.00" xbr="9.00" ybr="9.00" z_order="0">{inside}</box>'
    )


CVAT = (
    CVAT_META
    + '<track id="0" label="run" source="manual">'
    + "".join(cvat_box(frame, outside=frame == 4) for frame in (1, 2, 3, 4))
    + "".join(cvat_box(frame) for frame in (10, 11))
    + '</track><track id="1" label="sit" source="manual">'
    + "".join(cvat_box(frame, outside=frame == 3) for frame in (0, 1, 2, 3))
    + "</track></annotations>"
)
