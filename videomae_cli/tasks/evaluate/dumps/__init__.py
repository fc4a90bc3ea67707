"""Files with the scores of every video, as MMAction2, VideoMAE and this program write them."""
