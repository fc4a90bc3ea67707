"""Read frames with other libraries than PyAV, whose frames are the reference: one file each."""
